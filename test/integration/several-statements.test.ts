/** Texts of several statements: what each of them does counts, and not only what the last one does to the transaction. */
import { createPool, type Pool, type RowDataPacket } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlConnection } from '../../src/mysql/promise-connection.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

describe.each(CLIENT_DATABASES)('on $name', ({ options }) => {
  let servers: LocalCluster;
  let cluster: MysqlCluster;
  let plain: Pool;

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, replicas: 1, memcached: 0, php: false });
    await servers.primary.query('CREATE TABLE shop.w (v INT PRIMARY KEY)');
    // An account that MariaDB's read_only does not bind, as many sites have: nothing but the routing keeps it off a replica.
    await servers.primary.query("CREATE USER 'all'@'%' IDENTIFIED BY 'everything'");
    await servers.primary.query("GRANT ALL ON *.* TO 'all'@'%'");
    await servers.waitForReplication();
    const given = { user: 'all', password: 'everything', database: 'shop', multipleStatements: true };
    const { host, port } = servers.primary;
    const replica = servers.replicas[0];
    const at = (to: { host: string; port: number } | undefined) => ({
      host: to?.host ?? '',
      port: to?.port ?? 0,
    });
    cluster = await createMysqlCluster({
      ...servers.options().mysql,
      primary: { ...given, ...at({ host, port }) },
      replicas: [{ ...given, ...at(replica) }],
    });
    plain = createPool({ ...given, host, port });
    await eventually('the replica serves', () => cluster.explain('SELECT 1').node === replica?.id);
  });
  afterAll(async () => {
    await plain?.end();
    await cluster?.close();
    await servers?.close();
  });
  afterEach(async () => {
    await servers.primary.query('DELETE FROM shop.w');
    await servers.waitForReplication();
  });

  const rowsOf = async (node: LocalCluster['primary']): Promise<unknown[]> =>
    ((await node.query('SELECT v FROM shop.w ORDER BY v')) as { v: number }[]).map(({ v }) => v);
  const codeOf = (error: { code?: unknown }): unknown => error.code;
  /** A checkout inside a read-only transaction that is on the replica. */
  async function reading(db: MysqlConnection): Promise<void> {
    await db.query('START TRANSACTION READ ONLY');
    await db.query('SELECT v FROM w');
    expect(db.node).toBe(servers.replicas[0]?.id);
  }
  /** What the replica has is what the primary has, and it still replicates. */
  async function expectWritten(values: number[]): Promise<void> {
    expect(await rowsOf(servers.primary)).toEqual(values);
    await servers.waitForReplication();
    for (const replica of servers.replicas) expect(await rowsOf(replica)).toEqual(values);
  }

  test.each([
    'COMMIT; INSERT INTO w VALUES (1)',
    'ROLLBACK; INSERT INTO w VALUES (1)',
    'COMMIT; SELECT v FROM w FOR UPDATE; INSERT INTO w VALUES (1); COMMIT',
    'BEGIN; INSERT INTO w VALUES (1); COMMIT',
    'START TRANSACTION READ ONLY; COMMIT; INSERT INTO w VALUES (1)',
    'DROP TABLE IF EXISTS missing; INSERT INTO w VALUES (1)',
  ])('inside a read-only transaction on a replica, %j writes on the primary', async (text) => {
    await using db = await cluster.getConnection();
    await reading(db);
    await db.query(text);
    await expectWritten([1]);
    await db.query('INSERT INTO w VALUES (2)');
    await expectWritten([1, 2]);
  });

  test.each([
    'SELECT v FROM w; COMMIT; INSERT INTO w VALUES (1)',
    'SELECT v FROM w; ROLLBACK; INSERT INTO w VALUES (1)',
    'SELECT v FROM w; BEGIN; INSERT INTO w VALUES (1)',
    'SELECT v FROM w; BEGIN',
    'SELECT v FROM w; CREATE TABLE never (i INT)',
    'SELECT v FROM w; COMMIT; INSERT INTO w VALUES (1); ROLLBACK',
  ])(
    'inside a read-only transaction on a replica, %j is refused: it reads before it leaves',
    async (text) => {
      await using db = await cluster.getConnection();
      await reading(db);
      expect(await db.query(text).catch(codeOf)).toBe('ERR_UNSUPPORTED');
      await expectWritten([]);
      // The transaction is as it was.
      await db.query('COMMIT');
      await db.query('INSERT INTO w VALUES (1)');
      await expectWritten([1]);
    },
  );

  test.each([
    'SET GLOBAL max_join_size = 12345678',
    'SET @x = 1; SET GLOBAL max_join_size = 12345678',
    'KILL 4000000000',
  ])('inside a read-only transaction on a replica, %j is refused: it would be done there', async (text) => {
    await using db = await cluster.getConnection();
    await reading(db);
    expect(await db.query(text).catch(codeOf)).toBe('ERR_UNSUPPORTED');
  });

  test('what is tied to a replica does not go on there when its transaction is over', async () => {
    await using db = await cluster.getConnection();
    await reading(db);
    await db.query('SET @x = 1');
    for (const text of ['COMMIT; INSERT INTO w VALUES (1)', 'CREATE TABLE never (i INT)', 'BEGIN'])
      expect(await db.query(text).catch(codeOf), text).toBe('ERR_UNSUPPORTED');
    await expectWritten([]);
  });

  test('a variable that is set behind the end of a read-only transaction is there afterwards', async () => {
    await using db = await cluster.getConnection();
    await reading(db);
    await db.query('COMMIT; SET @x = 5');
    const [rows] = await db.query<RowDataPacket[]>('SELECT @x AS x');
    expect(rows).toEqual([{ x: 5 }]);
    await db.query('INSERT INTO w VALUES (@x)');
    await expectWritten([5]);
  });

  test('what fails behind the end of a read-only transaction has ended it, as with mysql2', async () => {
    await using db = await cluster.getConnection();
    await db.query('INSERT INTO w VALUES (1)');
    await servers.waitForReplication();
    await using other = await cluster.getConnection();
    await reading(other);
    expect(await other.query('COMMIT; INSERT INTO w VALUES (1)').catch(codeOf)).toBe('ER_DUP_ENTRY');
    await other.query('INSERT INTO w VALUES (2)');
    await expectWritten([1, 2]);
  });

  test.each([
    'BEGIN; INSERT INTO w VALUES (1); COMMIT; START TRANSACTION READ ONLY',
    'INSERT INTO w VALUES (1); START TRANSACTION READ ONLY',
    'COMMIT; INSERT INTO w VALUES (1); START TRANSACTION READ ONLY',
  ])('%j of a fresh checkout writes on the primary', async (text) => {
    expect(cluster.explain(text).node).toBe(servers.primary.id);
    await using db = await cluster.getConnection();
    await db.query(text);
    await expectWritten([1]);
    expect(await db.query('INSERT INTO w VALUES (2)').catch(codeOf)).toBe(
      'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION',
    );
  });

  test.each(['BEGIN; COMMIT; INSERT INTO w VALUES (1); BEGIN', 'COMMIT; INSERT INTO w VALUES (1); BEGIN'])(
    'behind SET TRANSACTION READ ONLY, %j is for the primary',
    async (text) => {
      await using db = await cluster.getConnection();
      await db.query('SET TRANSACTION READ ONLY');
      const done = await db.query(text).then(() => 'done', codeOf);
      const other = await plain.getConnection();
      await servers.primary.query('DELETE FROM shop.w');
      await other.query('SET TRANSACTION READ ONLY');
      expect(done).toBe(await other.query(text).then(() => 'done', codeOf));
      other.destroy();
      await servers.waitForReplication();
      const written = await rowsOf(servers.primary);
      for (const replica of servers.replicas) expect(await rowsOf(replica)).toEqual(written);
    },
  );

  test.each([
    'ROLLBACK; INSERT INTO w VALUES (9)',
    'INSERT INTO w VALUES (9); COMMIT; ROLLBACK',
    'ROLLBACK; SELECT 5 AS five',
    'ROLLBACK; SET @x = 1',
    'ROLLBACK; SET NAMES latin1',
  ])('after a transaction is lost, %j is not answered as done', async (text) => {
    await using db = await cluster.getConnection();
    await db.query('BEGIN');
    await db.query('INSERT INTO w VALUES (1)');
    await servers.primary.query(`KILL ${db.threadId}`);
    expect(await db.query('INSERT INTO w VALUES (2)').catch(codeOf)).toBe('ERR_TRANSACTION_LOST');
    expect(await db.query(text).catch(codeOf)).toBe('ERR_TRANSACTION_LOST');
    await db.query('ROLLBACK');
    await db.query('INSERT INTO w VALUES (3)');
    await expectWritten([3]);
  });

  test.each([
    'SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED; SELECT v FROM w',
    'SELECT v FROM w; SET TRANSACTION ISOLATION LEVEL READ COMMITTED',
    'SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED; SELECT nosuch FROM w',
    'SET TRANSACTION ISOLATION LEVEL READ COMMITTED; DO 1',
  ])('%j is sent, and answered as by mysql2', async (text) => {
    await servers.primary.query('INSERT INTO shop.w VALUES (1), (2)');
    const shape = ([rows]: [unknown, unknown]): unknown =>
      (rows as unknown[]).map((one) => (Array.isArray(one) ? one : 'done'));
    const wanted = await plain.query(text).then(shape, codeOf);
    expect(await cluster.query(text).then(shape, codeOf)).toEqual(wanted);
    await using db = await cluster.getConnection();
    expect(await db.query(text).then(shape, codeOf)).toEqual(wanted);
  });
});
