/**
 * Random operations of several callers with a model of each session next to it: no statement of a read-write transaction
 * away from the primary, no write on a replica, nothing of one session in another, no deadlock between holders.
 * `STORMLAMP_MODEL_OPERATIONS` makes it longer.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlConnection } from '../../src/mysql/promise-connection.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from './eventually.js';

const OPERATIONS = Number(process.env['STORMLAMP_MODEL_OPERATIONS'] ?? 3_000);
const CALLERS = 12;
const LIMIT_MS = 20_000;

let servers: LocalCluster;
let cluster: MysqlCluster;

beforeAll(async () => {
  servers = await startLocalCluster({ memcached: 0, php: false });
  await servers.primary.query('CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT) ENGINE=InnoDB');
  await servers.primary.query('CREATE TABLE shop.row (caller INT PRIMARY KEY, n INT) ENGINE=InnoDB');
  for (let caller = 0; caller < CALLERS; caller += 1) {
    await servers.primary.query('INSERT INTO shop.row VALUES (?, 0)', [caller]);
  }
  await servers.waitForReplication();
  // Fewer connections than callers, so that they wait for each other all the time.
  cluster = await createMysqlCluster({ ...servers.options().mysql, pool: { max: 4 } });
});

afterAll(async () => {
  await cluster?.close();
  await servers?.close();
});

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
  prepared: boolean;
}

const fresh = (): Model => ({
  transaction: 'none',
  wrote: false,
  variable: null,
  zone: 'SYSTEM',
  tables: new Set(),
  pending: 0,
  prepared: false,
});

class Caller {
  readonly #id: number;
  readonly #below: (below: number) => number;
  #committed = 0;
  #model = fresh();
  #db: MysqlConnection | undefined;
  readonly log: string[] = [];

  constructor(id: number, seed: number) {
    this.#id = id;
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
      () => this.#release(),
    ];
    const operation = operations[this.#below(operations.length)];
    await operation?.();
  }

  async #checkOut(): Promise<MysqlConnection> {
    this.#model = fresh();
    this.log.push('check out');
    const db = await cluster.getConnection();
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
    const { transaction, variable, tables } = this.#model;
    return transaction !== 'none' || variable !== null || tables.size > 0;
  }

  async #read(db: MysqlConnection): Promise<void> {
    const sql = 'SELECT @@server_id AS id, @@session.time_zone AS z, @@autocommit AS a';
    const [row] = await this.#rows(db, sql);
    const onPrimary = row?.['id'] === servers.primary.serverId;
    const mustBePrimary = this.#model.wrote || (this.#tied() && this.#model.transaction !== 'read-only');
    expect(onPrimary).toBe(mustBePrimary);
    expect(row).toMatchObject({ z: this.#model.zone, a: 1 });
    if (mustBePrimary) {
      // A session that wrote sees its own writes, and nobody else's pending ones.
      const [own] = await this.#rows(db, 'SELECT n FROM row WHERE caller = ?', [this.#id]);
      expect(own?.['n']).toBe(this.#committed + this.#model.pending);
      const [variable] = await this.#rows(db, 'SELECT @x AS x');
      expect(variable?.['x']).toBe(this.#model.variable);
    }
  }

  async #write(db: MysqlConnection): Promise<void> {
    const model = this.#model;
    const sql = 'UPDATE row SET n = n + 1 WHERE caller = ?';
    if (model.transaction === 'read-only') {
      await expect(this.#rows(db, sql, [this.#id])).rejects.toMatchObject({ errno: expect.any(Number) });
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
    const name = `tmp${this.#below(3)}`;
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
    const [row] = await this.#rows(cluster, 'SELECT @@server_id AS id, @@session.time_zone AS z');
    expect(row?.['id']).not.toBe(servers.primary.serverId);
    expect(row?.['z']).toBe('SYSTEM');
    const [own] = await this.#rows(cluster, 'SELECT @x AS x, @@server_id AS id');
    expect(own).toEqual({ x: null, id: servers.primary.serverId });
    await this.#rows(cluster, 'INSERT INTO t (v) VALUES (?)', [this.#id]);
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
    const work = cluster.transaction(
      async (db) => {
        await db.query('UPDATE row SET n = n + 1 WHERE caller = ?', [this.#id]);
        const [rows] = await db.query('SELECT @@server_id AS id');
        expect(rows).toEqual([{ id: servers.primary.serverId }]);
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
    const [row] = await servers.primary.query<{ n: number }>('SELECT n FROM shop.row WHERE caller = ?', [
      this.#id,
    ]);
    return row?.n ?? Number.NaN;
  }
}

test('random operations of many callers do what their models say', async () => {
  const seed = Number(process.env['STORMLAMP_MODEL_SEED'] ?? Date.now() % 1_000_000);
  const callers = Array.from({ length: CALLERS }, (_, id) => new Caller(id, seed));
  // The first failure counts: whoever fails keeps a connection that the others then wait for.
  const work = callers.map(async (caller, id) => {
    try {
      await caller.run(Math.ceil(OPERATIONS / CALLERS));
    } catch (cause) {
      const last = caller.log.slice(-25).join('\n  ');
      throw new Error(`caller ${id}, STORMLAMP_MODEL_SEED=${seed}, after\n  ${last}`, { cause });
    }
  });
  await Promise.all(work);
  await eventually('all connections are back', () =>
    cluster
      .stats()
      .every(({ inFlight, pool }) => inFlight === 0 && pool.borrowed === 0 && pool.waiting === 0),
  );
  for (const replica of servers.replicas) {
    const [row] = await replica.query<{ n: number }>(
      'SELECT COUNT(*) AS n FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id IN (SELECT ID FROM information_schema.PROCESSLIST WHERE USER = ?)',
      [servers.accounts.app.user],
    );
    expect(row?.n).toBe(0);
  }
}, 600_000);
