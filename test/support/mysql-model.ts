/**
 * Random operations of several callers with a model of each session next to it: no statement of a read-write transaction
 * away from the primary, no write on a replica, nothing of one session in another, no deadlock between holders, and every
 * connection back and clean in the end.
 */
import { expect } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlConnection } from '../../src/mysql/promise-connection.js';
import type { RouteEvent } from '../../src/mysql/session-ports.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import type { DatabaseCase } from '../integration/database-matrix.js';
import { eventually } from '../integration/eventually.js';

/** How long one statement may take before it counts as blocked, in milliseconds. */
const LIMIT_MS = 60_000;

/** Connections per node: fewer than callers, so that they wait for each other all the time. */
const CONNECTIONS = 4;

/** What is run. */
export interface ModelRun {
  readonly database: DatabaseCase;
  readonly operations: number;
  readonly callers: number;
  /** The same seed gives every caller the same operations. */
  readonly seed: number;
  /** Does harm before the state of the servers is looked at: the look must see it. */
  readonly harm?: (servers: LocalCluster) => Promise<unknown>;
}

/** What came of it. */
export interface ModelResult {
  /** Statements that were sent to each role. */
  readonly sent: Readonly<Record<string, number>>;
  /** The route of every kind of operation, for people. */
  readonly operations: Readonly<Record<string, number>>;
}

/**
 * Ends the text of a write that its caller sends inside a read-only transaction, where the server has to refuse it: no other
 * write may reach a replica.
 */
const REFUSED_INSIDE = '/* inside a read-only transaction */';

/** Temporary tables that callers make. */
const TABLES = ['tmp0', 'tmp1', 'tmp2'];

/** A small generator, so that a failure can be repeated from its seed. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** What a session should be like. */
interface Model {
  transaction: 'none' | 'read-write' | 'read-only';
  wrote: boolean;
  variable: number | null;
  zone: string;
  tables: Set<string>;
  /** Changes to the caller's own row that are not committed. */
  pending: number;
  /** How often the session holds the caller's lock. */
  locks: number;
}

const fresh = (): Model => ({
  transaction: 'none',
  wrote: false,
  variable: null,
  zone: 'SYSTEM',
  tables: new Set(),
  pending: 0,
  locks: 0,
});

class Caller {
  readonly #servers: LocalCluster;
  readonly #cluster: MysqlCluster;
  readonly #counts: Record<string, number>;
  readonly #id: number;
  readonly #below: (below: number) => number;
  #committed = 0;
  #model = fresh();
  #db: MysqlConnection | undefined;
  readonly log: string[] = [];

  constructor(
    servers: LocalCluster,
    cluster: MysqlCluster,
    id: number,
    seed: number,
    counts: Record<string, number>,
  ) {
    this.#servers = servers;
    this.#cluster = cluster;
    this.#id = id;
    this.#counts = counts;
    this.#below = randomFrom(seed + id * 7919);
  }

  async run(operations: number): Promise<void> {
    for (let count = 0; count < operations; count += 1) await this.#step();
    await this.#release();
    expect(await this.#committedOnServer()).toBe(this.#committed);
  }

  async #step(): Promise<void> {
    this.#db ??= await this.#checkOut();
    const db = this.#db;
    const operations: readonly (() => Promise<unknown>)[] = [
      () => this.#read(db),
      () => this.#read(db),
      () => this.#read(db),
      () => this.#write(db),
      () => this.#begin(db),
      () => this.#end(db),
      () => this.#end(db),
      () => this.#setVariable(db),
      () => this.#setZone(db),
      () => this.#temporary(db),
      () => this.#failing(db),
      () => this.#onThePool(),
      () => this.#parallel(db),
      () => this.#inTransactionFunction(),
      () => this.#execute(db),
      () => this.#lock(db),
      () => this.#prepare(db),
      () => this.#stream(db),
      () => this.#savepoint(db),
      () => this.#giveUp(),
      () => this.#release(),
    ];
    const chosen = this.#below(operations.length);
    const name = /#(\w+)/.exec(String(operations[chosen]))?.[1] ?? 'none';
    this.#counts[name] = (this.#counts[name] ?? 0) + 1;
    await operations[chosen]?.();
  }

  async #checkOut(): Promise<MysqlConnection> {
    this.#model = fresh();
    this.log.push('check out');
    const db = await this.#cluster.getConnection();
    return db;
  }

  async #rows(
    db: Pick<MysqlConnection, 'query'>,
    sql: string,
    values?: unknown[],
  ): Promise<Record<string, unknown>[]> {
    this.log.push(sql);
    const [rows] = await db.query({ sql, timeoutMs: LIMIT_MS }, values as never);
    return rows as unknown as Record<string, unknown>[];
  }

  #tied(): boolean {
    const { transaction, variable, tables, locks } = this.#model;
    return transaction !== 'none' || variable !== null || tables.size > 0 || locks > 0;
  }

  async #read(db: MysqlConnection): Promise<void> {
    const sql = 'SELECT @@server_id AS id, @@session.time_zone AS z, @@autocommit AS a';
    const [row] = await this.#rows(db, sql);
    const onPrimary = row?.['id'] === this.#servers.primary.serverId;
    const mustBePrimary = this.#model.wrote || (this.#tied() && this.#model.transaction !== 'read-only');
    expect(onPrimary).toBe(mustBePrimary);
    expect(row).toMatchObject({ z: this.#model.zone, a: 1 });
    if (mustBePrimary) {
      // A session that wrote sees its own writes, and nobody else's pending ones.
      const [own] = await this.#rows(db, 'SELECT n FROM tally WHERE caller = ?', [this.#id]);
      expect(own?.['n']).toBe(this.#committed + this.#model.pending);
      const [variable] = await this.#rows(db, 'SELECT @x AS x');
      expect(variable?.['x']).toBe(this.#model.variable);
    }
  }

  async #write(db: MysqlConnection): Promise<void> {
    const model = this.#model;
    const sql = 'UPDATE tally SET n = n + 1 WHERE caller = ?';
    if (model.transaction === 'read-only') {
      const refused = { errno: expect.any(Number) };
      await expect(this.#rows(db, `${sql} ${REFUSED_INSIDE}`, [this.#id])).rejects.toMatchObject(refused);
      return;
    }
    await this.#rows(db, sql, [this.#id]);
    model.wrote = true;
    if (model.transaction === 'none') this.#committed += 1;
    else model.pending += 1;
  }

  async #begin(db: MysqlConnection): Promise<void> {
    const model = this.#model;
    if (model.transaction !== 'none') return;
    if (this.#below(3) === 0) {
      await this.#rows(db, 'START TRANSACTION READ ONLY');
      model.transaction = 'read-only';
    } else {
      await this.#rows(db, this.#below(2) === 0 ? 'BEGIN' : 'START TRANSACTION');
      model.transaction = 'read-write';
      model.wrote = true;
    }
  }

  async #end(db: MysqlConnection): Promise<void> {
    const model = this.#model;
    if (model.transaction === 'none') return;
    const commit = this.#below(2) === 0;
    await this.#rows(db, commit ? 'COMMIT' : 'ROLLBACK');
    if (commit) this.#committed += model.pending;
    model.pending = 0;
    model.transaction = 'none';
  }

  async #setVariable(db: MysqlConnection): Promise<void> {
    const model = this.#model;
    if (model.transaction === 'read-only') return;
    const value = this.#below(1000);
    await this.#rows(db, `SET @x = ${value}`);
    model.variable = value;
    model.wrote = true;
  }

  async #setZone(db: MysqlConnection): Promise<void> {
    const zone = `+0${this.#below(10)}:00`;
    await this.#rows(db, `SET time_zone = '${zone}'`);
    this.#model.zone = zone;
  }

  async #temporary(db: MysqlConnection): Promise<void> {
    const { tables, transaction } = this.#model;
    if (transaction === 'read-only') return;
    const name = TABLES[this.#below(TABLES.length)] ?? 'tmp0';
    this.#model.wrote = true;
    if (tables.has(name)) {
      await this.#rows(db, `DROP TEMPORARY TABLE ${name}`);
      tables.delete(name);
    } else {
      await this.#rows(db, `CREATE TEMPORARY TABLE ${name} (i INT)`);
      tables.add(name);
    }
  }

  async #failing(db: MysqlConnection): Promise<void> {
    await expect(this.#rows(db, 'SELECT * FROM there_is_no_such_table')).rejects.toMatchObject({
      errno: 1146,
    });
  }

  /** Statements outside any checkout. Who holds a connection and waits for another one blocks himself, as with any pool. */
  async #onThePool(): Promise<void> {
    await this.#release();
    const [row] = await this.#rows(this.#cluster, 'SELECT @@server_id AS id, @@session.time_zone AS z');
    expect(row?.['id']).not.toBe(this.#servers.primary.serverId);
    expect(row?.['z']).toBe('SYSTEM');
    const [own] = await this.#rows(this.#cluster, 'SELECT @x AS x, @@server_id AS id');
    expect(own).toEqual({ x: null, id: this.#servers.primary.serverId });
    await this.#rows(this.#cluster, 'INSERT INTO t (v) VALUES (?)', [this.#id]);
  }

  /** Several statements at once on one connection: they run in the order of their calls. */
  async #parallel(db: MysqlConnection): Promise<void> {
    const numbers = [1, 2, 3, 4, 5];
    const ended: number[] = [];
    const sql = 'SELECT ? AS n';
    const work = numbers.map(async (n) => {
      const [row] = await this.#rows(db, sql, [n]);
      ended.push(n);
      return row?.['n'];
    });
    expect(await Promise.all(work)).toEqual(numbers);
    expect(ended).toEqual(numbers);
  }

  async #inTransactionFunction(): Promise<void> {
    await this.#release();
    const fails = this.#below(3) === 0;
    this.log.push(`transaction function ${fails ? 'that fails' : ''}`);
    const work = this.#cluster.transaction(
      async (db) => {
        await db.query('UPDATE tally SET n = n + 1 WHERE caller = ?', [this.#id]);
        const [rows] = await db.query('SELECT @@server_id AS id');
        expect(rows).toEqual([{ id: this.#servers.primary.serverId }]);
        if (fails) throw new Error('on purpose');
      },
      { timeoutMs: LIMIT_MS },
    );
    if (fails) await expect(work).rejects.toThrow('on purpose');
    else {
      await work;
      this.#committed += 1;
    }
  }

  /** By the binary protocol, which ties nobody. */
  async #execute(db: MysqlConnection): Promise<void> {
    const [rows] = await db.execute(
      { sql: 'SELECT ? + 1 AS n, @@server_id AS id', timeoutMs: LIMIT_MS },
      [1],
    );
    const [row] = rows as unknown as { n: number; id: number }[];
    expect(row?.n).toBe(2);
    if (this.#model.transaction === 'read-write') expect(row?.id).toBe(this.#servers.primary.serverId);
  }

  /** A lock by name, which the server counts. */
  async #lock(db: MysqlConnection): Promise<void> {
    const model = this.#model;
    if (model.transaction === 'read-only') return;
    const name = `model ${this.#id}`;
    if (model.locks === 0 || this.#below(2) === 0) {
      expect(await this.#rows(db, `SELECT GET_LOCK('${name}', 5) AS ok`)).toEqual([{ ok: 1 }]);
      model.locks += 1;
      model.wrote = true;
    } else {
      expect(await this.#rows(db, `SELECT RELEASE_LOCK('${name}') AS ok`)).toEqual([{ ok: 1 }]);
      model.locks -= 1;
    }
    const [own] = await this.#rows(db, `SELECT IS_USED_LOCK('${name}') <=> CONNECTION_ID() AS mine`);
    expect(own?.['mine']).toBe(model.locks > 0 ? 1 : 0);
  }

  async #prepare(db: MysqlConnection): Promise<void> {
    if (this.#model.transaction === 'read-only') return;
    const statement = await db.prepare('SELECT ? * 2 AS n, @@server_id AS id');
    this.#model.wrote = true;
    const [rows] = await statement.execute([21]);
    expect(rows).toEqual([{ n: 42, id: this.#servers.primary.serverId }]);
    await statement.close();
  }

  /** Rows as a stream, read to the end or left. */
  async #stream(db: MysqlConnection): Promise<void> {
    const leaves = this.#below(2) === 0 && !this.#tied();
    const core = db.connection as unknown as import('mysql2').PoolConnection;
    let seen = 0;
    for await (const _ of core.query('SELECT caller FROM tally').stream()) {
      seen += 1;
      if (leaves) break;
    }
    expect(seen).toBeGreaterThan(0);
  }

  async #savepoint(db: MysqlConnection): Promise<void> {
    if (this.#model.transaction !== 'read-write') return;
    await this.#rows(db, 'SAVEPOINT here');
    await this.#rows(db, 'UPDATE tally SET n = n + 100 WHERE caller = ?', [this.#id]);
    await this.#rows(db, 'ROLLBACK TO here');
  }

  /** A statement that its caller does not wait for. */
  async #giveUp(): Promise<void> {
    await this.#release();
    const sql = this.#below(2) === 0 ? 'SELECT SLEEP(30)' : 'SELECT SLEEP(30) FROM tally FOR UPDATE';
    this.log.push(sql);
    const signal = AbortSignal.timeout(5);
    await expect(this.#cluster.query({ sql, signal })).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  }

  async #release(): Promise<void> {
    this.log.push('release');
    this.#db?.release();
    this.#db = undefined;
    // What was not committed is rolled back before anybody else gets the connection.
    if (this.#model.pending > 0) {
      await eventually(
        'it is rolled back',
        async () => (await this.#committedOnServer()) === this.#committed,
      );
    }
    this.#model = fresh();
  }

  async #committedOnServer(): Promise<number> {
    const [row] = await this.#servers.primary.query<{ n: number }>(
      'SELECT n FROM shop.tally WHERE caller = ?',
      [this.#id],
    );
    return row?.n ?? Number.NaN;
  }
}

/**
 * Whether a statement was sent where it may run.
 *
 * @throws an error naming the statement.
 */
export function judgeRoute({ sql, kind, role, node }: RouteEvent): void {
  if (role === 'primary') return;
  const harmless =
    kind === 'read' || /^(SET time_zone|START TRANSACTION READ ONLY|COMMIT|ROLLBACK)/.test(sql);
  if (!harmless && !sql.endsWith(REFUSED_INSIDE)) throw new Error(`${kind} on ${role} ${node}: ${sql}`);
}

/** Starts real servers and runs the model over them. Fails with the seed and the last operations of the caller that failed. */
export async function runModel(run: ModelRun): Promise<ModelResult> {
  const { database, operations, callers, seed } = run;
  const servers = await startLocalCluster({ ...database.options, memcached: 0, php: false });
  const { primary } = servers;
  let cluster: MysqlCluster | undefined;
  try {
    await primary.query('CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT) ENGINE=InnoDB');
    await primary.query('CREATE TABLE shop.tally (caller INT PRIMARY KEY, n INT) ENGINE=InnoDB');
    for (let caller = 0; caller < callers; caller += 1) {
      await primary.query('INSERT INTO shop.tally VALUES (?, 0)', [caller]);
    }
    await servers.waitForReplication();
    const { mysql } = servers.options();
    // On a busy machine a server is slow and not down.
    const monitor = { ...mysql.monitor, timeoutMs: 10_000 };
    cluster = await createMysqlCluster({
      ...mysql,
      monitor,
      pool: { max: CONNECTIONS, acquireTimeoutMs: LIMIT_MS },
      startTimeoutMs: 60_000,
    });
    const sent: Record<string, number> = {};
    const misrouted: unknown[] = [];
    cluster.on('route', (event) => {
      sent[event.role] = (sent[event.role] ?? 0) + 1;
      try {
        judgeRoute(event);
      } catch (error) {
        misrouted.push(error);
      }
    });
    const counts: Record<string, number> = {};
    const all = Array.from(
      { length: callers },
      (_, id) => new Caller(servers, cluster as MysqlCluster, id, seed, counts),
    );
    // The first failure counts: whoever fails keeps a connection that the others then wait for.
    const work = all.map(async (caller, id) => {
      try {
        await caller.run(Math.ceil(operations / callers));
      } catch (cause) {
        const last = caller.log.slice(-25).join('\n  ');
        throw new Error(`${database.name}, caller ${id}, seed ${seed}, after\n  ${last}`, { cause });
      }
    });
    await Promise.all(work);
    expect(misrouted).toEqual([]);
    if (run.harm !== undefined) {
      // A replica that is still behind could not go on after it: harm of another kind.
      await servers.waitForReplication();
      await run.harm(servers);
    }
    await allIsClean(servers, cluster);
    return { sent, operations: counts };
  } finally {
    await cluster?.close();
    await servers.close();
  }
}

/** Looks at the pools and the servers themselves when nobody works any more. */
async function allIsClean(servers: LocalCluster, cluster: MysqlCluster): Promise<void> {
  await eventually('all connections are back', () =>
    cluster
      .stats()
      .every(({ inFlight, pool }) => inFlight === 0 && pool.borrowed === 0 && pool.waiting === 0),
  );
  // Every connection to the primary at once: none has anything of an earlier borrower.
  const held = await Promise.all(Array.from({ length: CONNECTIONS }, () => cluster.getConnection()));
  const state = 'SELECT @x AS x, @@session.time_zone AS z, @@autocommit AS a';
  for (const connection of held) {
    await connection.beginTransaction();
    const [rows] = await connection.query(state);
    expect(rows).toEqual([{ x: null, z: 'SYSTEM', a: 1 }]);
    for (const name of TABLES) {
      await expect(connection.query(`SELECT * FROM ${name}`)).rejects.toMatchObject({ errno: 1146 });
    }
  }
  for (const connection of held) {
    await connection.rollback();
    connection.release();
  }
  // The servers' own state: nothing open, and the replicas have what the primary has and nothing else.
  await servers.waitForReplication();
  const contents = 'SELECT (SELECT SUM(n) FROM shop.tally) AS n, COUNT(*) AS rows_, SUM(v) AS v FROM shop.t';
  const [truth] = await servers.primary.query(contents);
  for (const node of servers.databases) {
    const open = await node.query(
      'SELECT trx_id FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id IN (SELECT ID FROM information_schema.PROCESSLIST WHERE USER = ?)',
      [servers.accounts.app.user],
    );
    expect(open).toEqual([]);
    expect(await node.query(contents)).toEqual([truth]);
    expect(await foreignTransactions(servers, node)).toBe('');
  }
}

/** Transactions of this node that the primary has not got; '' when there are none. */
async function foreignTransactions(
  { flavor, primary }: LocalCluster,
  node: LocalCluster['primary'],
): Promise<string> {
  if (node === primary) return '';
  if (flavor === 'mysql') {
    const [set] = await primary.query<{ gtids: string }>('SELECT @@global.gtid_executed AS gtids');
    const [rest] = await node.query<{ gtids: string }>(
      'SELECT GTID_SUBTRACT(@@global.gtid_executed, ?) AS gtids',
      [set?.gtids],
    );
    return rest?.gtids ?? 'unknown';
  }
  const [state] = await node.query<{ gtids: string }>('SELECT @@global.gtid_binlog_state AS gtids');
  const own = (state?.gtids ?? '').split(',').filter((gtid) => gtid.split('-')[1] === String(node.serverId));
  return own.join(',');
}
