/** Read-only transactions whose first read comes late: the server takes the snapshot then, so the node is looked at again. */
import mysql from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlConnection } from '../../src/mysql/promise-connection.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { EVERY_CLIENT_DATABASE } from './client-databases.js';
import { eventually } from './eventually.js';

type Replica = LocalCluster['replicas'][number];

const READ = 'SELECT v FROM t WHERE id = 1';

async function shownBy(db: Pick<MysqlConnection, 'query'>, sql = READ): Promise<unknown> {
  const [rows] = await db.query(sql);
  return (rows as unknown as { v: unknown }[])[0]?.v;
}

describe.each(EVERY_CLIENT_DATABASE)('on $name', ({ options }) => {
  const word = options.flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
  let servers: LocalCluster;
  let cluster: MysqlCluster;
  let value = 0;

  beforeAll(async () => {
    servers = await startLocalCluster({
      ...options,
      memcached: 0,
      php: false,
      serverArgs: { mysql: ['--log-bin-trust-function-creators=1'] },
    });
    await servers.primary.query('CREATE TABLE shop.t (id INT PRIMARY KEY, v INT)');
    await servers.primary.query('INSERT INTO shop.t VALUES (1, 0)');
    await servers.primary.query(
      'CREATE FUNCTION shop.f() RETURNS INT READS SQL DATA SQL SECURITY INVOKER RETURN (SELECT v FROM shop.t WHERE id = 1)',
    );
    await servers.waitForReplication();
    const { mysql: given } = servers.options();
    cluster = await createMysqlCluster({
      ...given,
      // Nearly every step waits for the next look.
      monitor: { ...given.monitor, intervalMs: 50 },
      scope: { waitMs: 100 },
      functions: { readOnly: ['f'] },
    });
  });

  afterAll(async () => {
    await cluster?.close();
    await servers?.close();
  });

  const isFit = ({ id }: Replica): boolean =>
    cluster.explain(READ).considered.some(({ node, fit }) => node === id && fit);

  beforeEach(async () => {
    for (const replica of servers.replicas) await replica.query(`START ${word} SQL_THREAD`);
    await eventually('all replicas serve', () => servers.replicas.every(isFit));
  });

  const replicaOf = (connection: MysqlConnection): Replica => {
    const found = servers.replicas.find(({ id }) => id === connection.node);
    if (found === undefined) throw new Error(`${connection.node} is no replica`);
    return found;
  };

  /** Stops what applies on these replicas, and writes what they then lack. */
  async function fallBehind(...replicas: readonly Replica[]): Promise<void> {
    for (const replica of replicas) await replica.query(`STOP ${word} SQL_THREAD`);
    value += 1;
    await servers.primary.query('UPDATE shop.t SET v = ? WHERE id = 1', [value]);
    for (const other of servers.replicas.filter((replica) => !replicas.includes(replica)))
      await eventually('the other one has it', async () => {
        const [row] = await other.query('SELECT v FROM shop.t WHERE id = 1');
        return row?.['v'] === value;
      });
    await eventually('they are left out', () => !replicas.some(isFit));
  }

  test.each([
    ['START TRANSACTION READ ONLY', []],
    ['SET TRANSACTION READ ONLY; BEGIN', []],
    ['SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION READ ONLY', []],
    ['START TRANSACTION READ ONLY', ['SET NAMES utf8mb4', "SET time_zone = '+02:00'"]],
  ])('%s is begun anew on another node that is fit, with %j', async (begin, settings) => {
    await using connection = await cluster.getConnection();
    for (const sql of begin.split('; ')) await connection.query(sql);
    for (const sql of settings) await connection.query(sql);
    const began = replicaOf(connection);
    await fallBehind(began);
    expect(await shownBy(connection)).toBe(value);
    expect(replicaOf(connection)).not.toBe(began);
    if (settings.length > 0) expect(await shownBy(connection, 'SELECT @@time_zone AS v')).toBe('+02:00');
    // It is a read-only transaction there, and its snapshot stays.
    await expect(connection.query('UPDATE t SET v = 0')).rejects.toMatchObject({ errno: expect.any(Number) });
    const seen = value;
    await fallBehind(began);
    expect(await shownBy(connection)).toBe(seen);
    await connection.query('COMMIT');
    expect(await shownBy(connection)).toBe(value);
  });

  test('transaction() is begun anew on the primary where no replica is fit, and keeps its token', async () => {
    const routes: string[] = [];
    const listen = ({ sql, role }: { sql: string; role: string }): number => routes.push(`${role} ${sql}`);
    cluster.on('route', listen);
    const after = await cluster.token();
    const seen = await cluster.transaction(
      async (tx) => {
        await fallBehind(...servers.replicas);
        return [await shownBy(tx), await cluster.transaction((inner) => shownBy(inner)), tx.node];
      },
      { readOnly: true, after },
    );
    cluster.off('route', listen);
    expect(seen).toEqual([value, value, servers.primary.id]);
    expect(routes.filter((route) => !route.includes('SAVEPOINT'))).toEqual([
      'replica START TRANSACTION READ ONLY',
      'primary START TRANSACTION READ ONLY',
      `primary ${READ}`,
      `primary ${READ}`,
      'primary COMMIT',
    ]);
  });

  test('a transaction inside one that has read nothing has it begun anew, too', async () => {
    const nested = cluster.transaction(
      async () => {
        await fallBehind(...servers.replicas);
        return await cluster.transaction((inner) => shownBy(inner));
      },
      { readOnly: true },
    );
    expect(await nested).toBe(value);
  });

  test('a prepared statement of one that has read nothing is prepared where it is begun anew', async () => {
    await using connection = await cluster.getConnection();
    await connection.query('START TRANSACTION READ ONLY');
    await fallBehind(replicaOf(connection));
    const prepared = await connection.prepare(READ);
    const [rows] = await prepared.execute([]);
    expect(rows).toEqual([{ v: value }]);
  });

  test.each([
    ...['SET @kept = 5', 'SAVEPOINT a', 'SELECT CONNECTION_ID()'],
    // None of these reads a table, or with the snapshot.
    "SELECT NOW(), EXTRACT(YEAR FROM NOW()), 'from' FROM DUAL /* from t */",
    'SHOW TABLES FROM shop',
    'EXPLAIN SELECT v FROM t',
    'SELECT COUNT(*) FROM information_schema.tables',
    'SELECT v FROM t LOCK IN SHARE MODE',
    // Before the transaction it would hold for the transaction.
    'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  ])('it is refused after %s, which leaves the first read to come', async (sql) => {
    await using connection = await cluster.getConnection();
    await connection.query('START TRANSACTION READ ONLY');
    await connection.query(sql);
    const began = replicaOf(connection);
    await fallBehind(began);
    await expect(connection.query(READ)).rejects.toMatchObject({
      code: 'ERR_NO_REPLICA',
      message: expect.stringMatching(new RegExp(`read-only transaction is on ${began.id}.*: the applying`)),
    });
    await connection.query('ROLLBACK');
    await began.query(`START ${word} SQL_THREAD`);
    await eventually('it serves', () => isFit(began));
    expect(await shownBy(connection)).toBe(value);
  });

  test('what its scope wrote since it began is seen by its first read', async () => {
    await cluster.run({}, async () => {
      await using connection = await cluster.getConnection();
      await connection.query('START TRANSACTION READ ONLY');
      const began = replicaOf(connection);
      await began.query('FLUSH TABLES WITH READ LOCK');
      try {
        value += 1;
        await cluster.query('UPDATE t SET v = ? WHERE id = 1', [value]);
        expect(await shownBy(connection)).toBe(value);
        expect(connection.node).not.toBe(began.id);
      } finally {
        await began.query('UNLOCK TABLES');
      }
    });
  });

  test('what was seen, or was to be seen as it was at the beginning, stays so', async () => {
    for (const begin of [
      'START TRANSACTION READ ONLY',
      'START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT',
    ]) {
      await using connection = await cluster.getConnection();
      await connection.query(begin);
      const began = replicaOf(connection);
      if (!begin.includes('SNAPSHOT')) expect(await shownBy(connection)).toBe(value);
      const seen = value;
      await fallBehind(began);
      expect(await shownBy(connection)).toBe(seen);
      expect(connection.node).toBe(began.id);
      await connection.query('COMMIT');
      await began.query(`START ${word} SQL_THREAD`);
      await eventually('it serves', () => isFit(began));
    }
  });

  test.each([
    'SELECT f()',
    'SELECT v FROM t WHERE id = 1',
    'SELECT 1 FROM DUAL WHERE EXISTS (SELECT 1 FROM t)',
  ])('what %s has shown stays so', async (sql) => {
    await using connection = await cluster.getConnection();
    await connection.query('START TRANSACTION READ ONLY');
    await connection.query(sql);
    const seen = value;
    await fallBehind(replicaOf(connection));
    expect(await shownBy(connection)).toBe(seen);
  });

  const TWO_ROWS = 'SELECT 1 UNION SELECT 2';
  const ABOUT_BEFORE = ['FOUND_ROWS()', 'ROW_COUNT()', '@@warning_count', 'LAST_INSERT_ID()'];
  const readWith = (about: string): string => `SELECT v, ${about} AS x FROM t WHERE id = 1`;

  /** What a plain connection to the primary answers. */
  async function toldByDriver(...texts: readonly string[]): Promise<unknown> {
    const { user, password } = servers.accounts.app;
    const { host, port } = servers.primary;
    const plain = await mysql.createConnection({ host, port, user, password, database: 'shop' });
    try {
      let answer: unknown;
      for (const text of texts) [answer] = await plain.query(text);
      return answer;
    } finally {
      await plain.end();
    }
  }

  test.each(ABOUT_BEFORE)('a first read with %s is what a plain connection gives', async (about) => {
    const texts = [TWO_ROWS, 'START TRANSACTION READ ONLY', readWith(about)];
    await using connection = await cluster.getConnection();
    let answer: unknown;
    for (const text of texts) [answer] = await connection.query(text);
    expect(answer).toEqual(await toldByDriver(...texts));
  });

  test.each(ABOUT_BEFORE)(
    'a first read with %s that comes late shows nothing that is stale',
    async (about) => {
      const texts = [TWO_ROWS, 'START TRANSACTION READ ONLY', readWith(about)];
      await using connection = await cluster.getConnection();
      for (const text of texts.slice(0, -1)) await connection.query(text);
      await fallBehind(replicaOf(connection));
      const read = connection.query(readWith(about));
      if (about === 'FOUND_ROWS()') {
        // No other connection knows it.
        await expect(read).rejects.toMatchObject({ code: 'ERR_NO_REPLICA' });
      } else expect((await read)[0]).toEqual(await toldByDriver(...texts));
    },
  );

  test('outside a transaction, too: the statement before was there, and nowhere else', async () => {
    await using connection = await cluster.getConnection();
    await connection.query(TWO_ROWS);
    const began = replicaOf(connection);
    await fallBehind(began);
    await expect(connection.query(readWith('FOUND_ROWS()'))).rejects.toMatchObject({
      code: 'ERR_NO_REPLICA',
      message: expect.stringContaining(`the statement before on this connection, which was on ${began.id}`),
    });
    const [rows] = await connection.query('SELECT FOUND_ROWS() AS x');
    expect(rows).toEqual([{ x: 2 }]);
  });

  test('one that can be begun anew nowhere says so, and that it is gone', async () => {
    await using connection = await cluster.getConnection();
    await cluster.run({ preference: 'replica' }, () => connection.query('START TRANSACTION READ ONLY'));
    await fallBehind(...servers.replicas);
    await expect(connection.query(READ)).rejects.toMatchObject({ code: 'ERR_NO_REPLICA' });
    await expect(connection.query(READ)).rejects.toMatchObject({ code: 'ERR_TRANSACTION_LOST' });
    await connection.query('ROLLBACK');
    expect(await shownBy(connection)).toBe(value);
  });
});
