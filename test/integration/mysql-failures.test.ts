/** A node dies, lags, hangs or changes its role, and callers see only what is certain. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isStormlampError } from '../../src/common/stormlamp-error.js';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlOptions } from '../../src/mysql/mysql-options.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { CLIENT_DATABASES, ONE_CLIENT_DATABASE } from './client-databases.js';
import type { DatabaseCase } from './database-matrix.js';
import { eventually } from './eventually.js';

let servers: LocalCluster;
let cluster: MysqlCluster;

/** One set of servers for the tests of a group, all of which leave it as it was, and a client of its own for each test. */
function shareServers(database: DatabaseCase): void {
  beforeAll(async () => {
    servers = await startLocalCluster({ ...database.options, memcached: 0, php: false });
    await servers.primary.query('CREATE TABLE shop.t (id INT PRIMARY KEY, v INT) ENGINE=InnoDB');
    await servers.waitForReplication();
  });
  afterEach(async () => {
    await cluster?.close();
  });
  afterAll(async () => {
    await servers?.close();
  });
}

/** A client, whose servers have no rows. */
async function open(options: MysqlOptions = {}): Promise<void> {
  await servers.primary.query('DELETE FROM shop.t');
  await servers.waitForReplication();
  cluster = await createMysqlCluster({ ...servers.options().mysql, ...options });
}

async function serverOf(sql = 'SELECT @@server_id AS id'): Promise<number> {
  const [rows] = await cluster.query({ sql, timeoutMs: 10_000 });
  return (rows as unknown as { id: number }[])[0]?.id ?? 0;
}

function poolIsIdle(): Promise<unknown> {
  return eventually('all connections are back', () =>
    cluster
      .stats()
      .every(({ inFlight, pool }) => inFlight === 0 && pool.borrowed === 0 && pool.waiting === 0),
  );
}

type Outcome = 'acknowledged' | 'refused' | 'unknown';

/** Writes rows one after the other from several callers until it is stopped; knows what each call was told. */
class Writers {
  readonly outcomes = new Map<number, Outcome>();
  readonly errors = new Map<string, number>();
  #next = 0;
  #stopped = false;
  readonly #work: Promise<unknown>;

  constructor(callers: number, write: (id: number) => Promise<unknown>) {
    this.#work = Promise.all(Array.from({ length: callers }, () => this.#run(write)));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#work;
  }

  count(outcome: Outcome): number {
    return [...this.outcomes.values()].filter((each) => each === outcome).length;
  }

  async #run(write: (id: number) => Promise<unknown>): Promise<void> {
    while (!this.#stopped) {
      this.#next += 1;
      const id = this.#next;
      try {
        await write(id);
        this.outcomes.set(id, 'acknowledged');
      } catch (error) {
        const code = (error as { code?: string }).code ?? String(error);
        this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
        const { cause } = error as { cause?: unknown };
        const unknown =
          isStormlampError(error, 'ERR_OUTCOME_UNKNOWN') || isStormlampError(cause, 'ERR_OUTCOME_UNKNOWN');
        this.outcomes.set(id, unknown ? 'unknown' : 'refused');
      }
    }
  }
}

/** What the table says must agree with what callers were told. */
async function expectAgreement(writers: Writers): Promise<void> {
  const rows = await servers.primary.query<{ id: number }>('SELECT id FROM shop.t');
  const stored = new Set(rows.map(({ id }) => id));
  const lost: number[] = [];
  const surplus: number[] = [];
  for (const [id, outcome] of writers.outcomes) {
    if (outcome === 'acknowledged' && !stored.has(id)) lost.push(id);
    if (outcome === 'refused' && stored.has(id)) surplus.push(id);
  }
  expect({ lost, surplus }).toEqual({ lost: [], surplus: [] });
}

const insert = (id: number): Promise<unknown> =>
  cluster.execute({ sql: 'INSERT INTO t VALUES (?, ?)', timeoutMs: 60_000 }, [id, id]);

describe.each(CLIENT_DATABASES)('on $name', (database) => {
  shareServers(database);
  // On a busy machine a server takes long to start.
  beforeEach(() => open({ blockMs: 60_000 }));

  test('a replica whose applier stops, or falls behind, is left; when it has caught up it serves again', async () => {
    const [slow, other] = servers.replicas;
    if (slow === undefined || other === undefined) throw new Error('two replicas are needed');
    const word = database.flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
    await slow.query(`STOP ${word} SQL_THREAD`);
    await eventually('it is not fit', () =>
      cluster.explain('SELECT 1').considered.some(({ node, fit }) => node === slow.id && !fit),
    );
    for (let call = 0; call < 20; call += 1) expect(await serverOf()).toBe(other.serverId);
    const explained = cluster.explain('SELECT 1').considered.find(({ node }) => node === slow.id);
    expect(explained?.reason).toContain('applying thread');
    await slow.query(`START ${word} SQL_THREAD`);
    await eventually('it serves again', async () => (await serverOf()) === slow.serverId);
  });

  test('a replica that is killed under load is noticed by nobody', async () => {
    const [victim] = servers.replicas;
    const failures: unknown[] = [];
    const served = new Set<number>();
    let stopped = false;
    const readers = Array.from({ length: 8 }, async () => {
      while (!stopped) {
        try {
          served.add(await serverOf());
        } catch (error) {
          failures.push(error);
        }
      }
    });
    await eventually('both replicas serve', () => served.size === 2);
    await victim?.kill();
    await eventually('it is seen to be down', () =>
      cluster.topology().nodes.some(({ id, state }) => id === victim?.id && state === 'down'),
    );
    served.clear();
    await eventually('the other one serves', () => served.size > 0);
    stopped = true;
    await Promise.all(readers);
    expect(failures).toEqual([]);
    expect([...served]).toEqual([servers.replicas[1]?.serverId]);
    await victim?.start();
    await eventually('it serves again', async () => (await serverOf()) === victim?.serverId);
    await poolIsIdle();
  });

  test('writes follow a replica that is promoted, and none is lost', async () => {
    const writers = new Writers(6, insert);
    await eventually('writes go', () => writers.count('acknowledged') > 30);
    const [next] = servers.replicas;
    if (next === undefined) throw new Error('a replica is needed');
    await servers.promote(next);
    const before = writers.count('acknowledged');
    await eventually('writes go to the new primary', () => writers.count('acknowledged') > before + 30);
    await writers.stop();
    expect(cluster.topology().writer).toEqual({ kind: 'primary', node: next.id });
    expect(await serverOf('SELECT @@server_id AS id FOR UPDATE')).toBe(next.serverId);
    await expectAgreement(writers);
    expect(Object.fromEntries(writers.errors)).toEqual({});
    await poolIsIdle();
  });

  test('SIGKILL of the primary under writes: what was acknowledged is there, what was refused is not', async () => {
    const writers = new Writers(6, insert);
    await eventually('writes go', () => writers.count('acknowledged') > 30);
    await servers.primary.kill();
    await eventually('it is seen', () => cluster.topology().writer.kind === 'no-primary');
    // Reads go on: nothing newer can be written anywhere.
    for (let call = 0; call < 10; call += 1) expect(await serverOf()).not.toBe(servers.primary.serverId);
    await servers.primary.start();
    const before = writers.count('acknowledged');
    await eventually('writes go again', () => writers.count('acknowledged') > before + 30);
    await writers.stop();
    await expectAgreement(writers);
    expect([...writers.errors.keys()].filter((code) => code !== 'ERR_OUTCOME_UNKNOWN')).toEqual([]);
    expect(writers.count('unknown')).toBeLessThanOrEqual(6);
    await poolIsIdle();
  });

  test('a transaction that is open when another node becomes the primary is lost, not split over two servers', async () => {
    const connection = await cluster.getConnection();
    await connection.beginTransaction();
    await connection.query('INSERT INTO t VALUES (1, 1)');
    const [next] = servers.replicas;
    if (next === undefined) throw new Error('a replica is needed');
    await servers.promote(next);
    await eventually('the client knows', () => {
      const { writer } = cluster.topology();
      return writer.kind === 'primary' && writer.node === next.id;
    });
    await expect(connection.query('INSERT INTO t VALUES (2, 2)')).rejects.toMatchObject({
      code: 'ERR_TRANSACTION_LOST',
    });
    await connection.rollback();
    await connection.query('INSERT INTO t VALUES (3, 3)');
    connection.release();
    expect(await next.query('SELECT id FROM shop.t')).toEqual([{ id: 3 }]);
    await poolIsIdle();
  });
});

describe('of one kind', () => {
  shareServers(ONE_CLIENT_DATABASE);

  describe('deadlines', () => {
    test('hold on a primary that hangs, and on a replica that hangs', async () => {
      await open();
      await insert(1);
      await servers.primary.pause();
      const write = cluster.query({ sql: 'INSERT INTO t VALUES (2, 2)', timeoutMs: 400 });
      await expect(write).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
      await servers.primary.resume();
      await eventually('it is back', () => cluster.topology().writer.kind === 'primary');

      for (const replica of servers.replicas) await replica.pause();
      const reads = Array.from({ length: 6 }, () =>
        cluster.query({ sql: 'SELECT * FROM t', timeoutMs: 600 }),
      );
      const outcomes = await Promise.allSettled(reads);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'ERR_TIMEOUT' });
      }
      await eventually('the primary serves reads', async () => {
        const [rows] = await cluster
          .query({ sql: 'SELECT @@server_id AS id', timeoutMs: 500 })
          .catch(() => [[]] as const);
        return (rows as unknown as { id: number }[])[0]?.id === servers.primary.serverId;
      });
      for (const replica of servers.replicas) await replica.resume();
      await poolIsIdle();
    });

    test('hold when the network swallows everything, also for a caller who waits for a connection', async () => {
      await open({ pool: { max: 2 } });
      await insert(1);
      servers.primary.faults.partition();
      const writes = Array.from({ length: 6 }, (_, index) =>
        cluster.query({ sql: 'INSERT INTO t VALUES (?, 0)', values: [index + 10], timeoutMs: 500 }),
      );
      for (const outcome of await Promise.allSettled(writes)) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ERR_TIMEOUT' } });
      }
      servers.primary.faults.heal();
      await eventually('it is back', () =>
        insert(2).then(
          () => true,
          () => false,
        ),
      );
      await poolIsIdle();
    });

    test('a signal ends a statement that runs, and it ends on the server, too', async () => {
      await open();
      const blocker = await cluster.getConnection();
      await blocker.beginTransaction();
      await blocker.query('INSERT INTO t VALUES (1, 1)');
      const controller = new AbortController();
      const write = cluster.query({ sql: 'INSERT INTO t VALUES (1, 2)', signal: controller.signal });
      const waiting = (): Promise<unknown[]> =>
        servers.primary.query(
          "SELECT * FROM information_schema.PROCESSLIST WHERE INFO LIKE 'INSERT INTO t%'",
        );
      await eventually('it waits for the lock', async () => (await waiting()).length === 1);
      controller.abort();
      await expect(write).rejects.toMatchObject({
        code: 'ERR_ABORTED',
        message: expect.stringContaining('may or may not have happened'),
        cause: { code: 'ERR_OUTCOME_UNKNOWN' },
      });
      await eventually('the server has ended it', async () => (await waiting()).length === 0);
      await blocker.commit();
      blocker.release();
      expect(await servers.primary.query('SELECT v FROM shop.t')).toEqual([{ v: 1 }]);
      await expect(cluster.query({ sql: 'SELECT 1', signal: AbortSignal.abort() })).rejects.toMatchObject({
        code: 'ERR_ABORTED',
      });
      await poolIsIdle();
    });

    test.each([
      ['a plain signal', () => undefined],
      ['a signal with a reason', () => new Error('enough')],
    ])('%s ends a read, whose connection is not used again', async (_name, reason) => {
      await open({ pool: { max: 1 }, reads: { preference: 'primary' } });
      const id = async (): Promise<unknown> => {
        const [rows] = await cluster.query({ sql: 'SELECT CONNECTION_ID() AS id', timeoutMs: 20_000 });
        return (rows as unknown as { id: number }[])[0]?.id;
      };
      const before = await id();
      const controller = new AbortController();
      const read = cluster.query({ sql: 'SELECT SLEEP(30)', signal: controller.signal });
      await eventually('it runs', () => cluster.stats().some(({ inFlight }) => inFlight === 1));
      controller.abort(reason());
      await expect(read).rejects.toMatchObject({ code: 'ERR_ABORTED' });
      expect(await id()).not.toBe(before);
      await poolIsIdle();
    });

    test('a driver timeout keeps its code, and its connection is not used again', async () => {
      await open({ pool: { max: 1 } });
      const blocker = servers.primary.query('SELECT GET_LOCK("x", 1), SLEEP(1)');
      await expect(
        cluster.query({ sql: 'SELECT GET_LOCK("x", 5), SLEEP(3)', timeout: 200 }),
      ).rejects.toMatchObject({ code: 'PROTOCOL_SEQUENCE_TIMEOUT' });
      await cluster.query({ sql: 'INSERT INTO t VALUES (1, 1)', timeoutMs: 5_000 });
      await blocker;
      await poolIsIdle();
    });
  });

  describe('closing', () => {
    test('close waits for what runs, destroy does not, and both leave nothing', async () => {
      await open();
      const running = cluster.query(
        'SELECT SLEEP(0.3) AS s, @@server_id AS id FROM t RIGHT JOIN (SELECT 1) one ON 1',
      );
      const closing = cluster.close();
      await expect(cluster.query('SELECT 1')).rejects.toMatchObject({ code: 'ERR_CLOSED' });
      await expect(running).resolves.toBeDefined();
      await closing;

      const other = await createMysqlCluster(servers.options().mysql);
      const endless = other.query('SELECT SLEEP(60)');
      await eventually('it runs', () => other.stats().some(({ inFlight }) => inFlight === 1));
      other.destroy();
      await expect(endless).rejects.toMatchObject({ code: expect.any(String) });
    });
  });

  describe('a node that hangs', () => {
    test('does not keep callers without a deadline for ever: reads go elsewhere, a write is unknown', async () => {
      // Silence is noticed sooner.
      await open({ monitor: { ...servers.options().mysql.monitor, intervalMs: 250, timeoutMs: 500 } });
      const [first] = servers.replicas;
      const sleepy = 'SELECT @@server_id AS id, SLEEP(0.4) AS s';
      const begin = (): ReturnType<MysqlCluster['query']>[] =>
        Array.from({ length: 10 }, () => cluster.query(sleepy));
      let reads = begin();
      // On a busy machine a replica may be left out for a moment, and the reads be over before it serves again.
      await eventually('some read on each replica', () => {
        const busy = cluster.stats().filter(({ inFlight }) => inFlight > 0);
        if (busy.length === 0) reads = begin();
        return servers.replicas.every(({ id }) => busy.some(({ node }) => node === id));
      });
      await first?.pause();
      const ids = (await Promise.all(reads)).map(([rows]) => (rows as unknown as { id: number }[])[0]?.id);
      expect(ids).toHaveLength(10);
      await first?.resume();

      await insert(1);
      await servers.primary.pause();
      await expect(cluster.query('INSERT INTO t VALUES (2, 2)')).rejects.toMatchObject({
        code: 'ERR_OUTCOME_UNKNOWN',
      });
      await servers.primary.resume();
      await eventually('it is back', () => cluster.topology().writer.kind === 'primary');
      await poolIsIdle();
    });

    test('does not keep writes that wait for a connection to it when there is another primary', async () => {
      await open({ pool: { max: 1 }, blockMs: 30_000 });
      const old = servers.primary;
      const [next] = servers.replicas;
      if (next === undefined) throw new Error('a replica is needed');
      await insert(1);
      await old.pause();
      const writes = Array.from({ length: 4 }, (_, index) => insert(index + 2));
      const outcomes = Promise.allSettled(writes);
      await eventually('the others wait', () => cluster.stats().some(({ pool }) => pool.waiting > 0));
      await servers.promote(next, { timeoutMs: 20_000 });
      const ended = (await outcomes).map((outcome) =>
        outcome.status === 'fulfilled' ? 'done' : (outcome.reason as { code: string }).code,
      );
      // The first one was sent to the server that hangs; nobody knows what became of it.
      expect(ended).toEqual(['ERR_OUTCOME_UNKNOWN', 'done', 'done', 'done']);
      expect(await next.query('SELECT id FROM shop.t WHERE id > 2 ORDER BY id')).toEqual([
        { id: 3 },
        { id: 4 },
        { id: 5 },
      ]);
      // It is still writable: nothing may come after this test.
      await old.resume();
      await poolIsIdle();
    });
  });
});
