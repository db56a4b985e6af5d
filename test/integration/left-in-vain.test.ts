/** A statement that fails where it should have ended a read-only transaction: nothing after it is silently outside of that. */
import { createPool, type Pool, type PoolConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlConnection } from '../../src/mysql/promise-connection.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { EVERY_CLIENT_DATABASE } from './client-databases.js';
import { eventually } from './eventually.js';

type Side = Pick<PoolConnection | MysqlConnection, 'query' | 'execute'>;

const TRIGGER = 'CREATE TRIGGER fires BEFORE INSERT ON account FOR EACH ROW SET NEW.n = 1';

describe.each(EVERY_CLIENT_DATABASE)('on $name', ({ flavor, options }) => {
  let servers: LocalCluster;
  let cluster: MysqlCluster;
  let plain: Pool;

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, replicas: 1, memcached: 0, php: false });
    await servers.primary.query('CREATE TABLE shop.account (id INT PRIMARY KEY, n INT NOT NULL)');
    await servers.primary.query('INSERT INTO shop.account VALUES (1, 50), (2, 50)');
    await servers.primary.query('CREATE PROCEDURE shop.kept() SELECT 1');
    await servers.primary.query(
      'CREATE TRIGGER shop.fires BEFORE INSERT ON shop.account FOR EACH ROW SET NEW.n = NEW.n',
    );
    // So that it is refused for what is there, and not for want of a right.
    await servers.primary.query(
      `GRANT CREATE ROUTINE, ALTER ROUTINE, TRIGGER ON shop.* TO '${servers.accounts.app.user}'@'%'`,
    );
    await servers.waitForReplication();
    const nodes = servers.options().mysql;
    cluster = await createMysqlCluster({ ...nodes, pool: { max: 2 } });
    plain = createPool({ uri: String(nodes.primary) });
  });

  afterAll(async () => {
    await plain?.end();
    await cluster?.close();
    await servers?.close();
  });

  beforeEach(async () => {
    await servers.primary.query('UPDATE shop.account SET n = 50');
    await servers.waitForReplication();
  });

  /** What a session sees, and can do, after `text` failed in its read-only transaction. */
  async function storyOf(db: Side, mode: 'query' | 'execute', text: string): Promise<unknown[]> {
    const codeOf = (error: { code?: unknown; errno?: unknown }) => error.errno ?? error.code;
    await db.query('START TRANSACTION READ ONLY');
    await db.query('SELECT n FROM account WHERE id = 1');
    const failed = await (mode === 'query' ? db.query(text) : db.execute(text)).then(() => 'done', codeOf);
    await servers.primary.query('UPDATE shop.account SET n = IF(id = 1, 0, 100)');
    await servers.waitForReplication();
    const seen = await db
      .query<RowDataPacket[]>('SELECT n FROM account WHERE id = 2')
      .then(([rows]) => rows[0]?.['n'], codeOf);
    const written = await db.query('UPDATE account SET n = n - 10 WHERE id = 2').then(() => 'done', codeOf);
    await db.query('ROLLBACK');
    const [row] = await servers.primary.query('SELECT n FROM shop.account WHERE id = 2');
    return [failed, seen, written, row?.['n']];
  }

  const prepared = [
    'BEGIN',
    'START TRANSACTION READ WRITE',
    'LOCK TABLES account WRITE',
    'CHECK TABLE account',
  ];
  const failing: ['query' | 'execute', string][] = [
    ['query', 'CREATE VIEW big AS SELEC * FROM account'],
    ['query', 'ALTER TABLE account ADD'],
    ['query', 'CREATE TABLE account (i INT)'],
    ['query', 'DROP TABLE missing'],
    ['query', 'CREATE VIEW big AS SELECT * FROM missing'],
    ['query', 'ALTER TABLE missing ADD i INT'],
    ['query', 'DROP PROCEDURE missing'],
    ['query', 'CREATE PROCEDURE kept() SELECT 2'],
    ['query', TRIGGER],
    ['query', 'DROP TRIGGER missing'],
    ['query', 'DROP DATABASE missing'],
    ['query', 'ALTER TABLE account ADD INDEX twice (n), ADD INDEX twice (id)'],
    ['query', 'ALTER TABLE account DROP INDEX missing'],
    ['query', 'CREATE DATABASE shop'],
    ['query', 'ALTER TABLE account ADD n INT'],
    ['query', 'ALTER TABLE account DROP COLUMN missing'],
    ['execute', 'CREATE VIEW big AS SELEC * FROM account'],
    ['execute', 'CREATE VIEW big AS SELECT * FROM missing'],
    ...(flavor === 'mysql' ? prepared : []).map((text): ['execute', string] => ['execute', text]),
  ];
  const sameAsDriver = async (mode: 'query' | 'execute', text: string): Promise<unknown> => {
    const other = await plain.getConnection();
    const [failed, seen, written, left] = await storyOf(other, mode, text);
    other.release();
    await servers.primary.query('UPDATE shop.account SET n = 50');
    await servers.waitForReplication();
    await using db = await cluster.getConnection();
    const isOver = seen === 100;
    // Where mysql2 is still inside, nothing is seen of another time, and nothing is written.
    expect(await storyOf(db, mode, text)).toEqual(
      isOver ? [failed, seen, written, left] : [failed, 'ERR_TRANSACTION_LOST', 'ERR_TRANSACTION_LOST', 100],
    );
    expect(isOver).toBe(mode === 'query' && failed !== 1064);
    // After the rollback the connection is as good as any.
    await db.query('UPDATE account SET n = 7 WHERE id = 2');
    const [rows] = await db.query<RowDataPacket[]>('SELECT n FROM account WHERE id = 2');
    expect(rows).toEqual([{ n: 7 }]);
    return failed;
  };
  test.each(failing)('%s of %s', async (mode, text) => {
    await sameAsDriver(mode, text);
  });

  test.each([
    [TRIGGER, 1359],
    ['DROP TRIGGER missing', 1360],
  ])('query of %s, with the right to it', async (text, errno) => {
    await servers.primary.query('SET GLOBAL log_bin_trust_function_creators = 1');
    try {
      expect(await sameAsDriver('query', text)).toBe(errno);
    } finally {
      await servers.primary.query('SET GLOBAL log_bin_trust_function_creators = 0');
    }
  });

  test('a statement that was given up before it could be sent', async () => {
    await using db = await cluster.getConnection();
    await db.query('START TRANSACTION READ ONLY');
    await db.query('SELECT n FROM account WHERE id = 1');
    const holders = await Promise.all([1, 2].map(() => cluster.getConnection()));
    await Promise.all(holders.map((holder) => holder.beginTransaction()));
    const signal = AbortSignal.timeout(300);
    await expect(db.query({ sql: 'BEGIN', signal })).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    await expect(db.query({ sql: 'BEGIN', timeoutMs: 300 })).rejects.toMatchObject({
      code: 'ERR_TRANSACTION_LOST',
    });
    await db.query('ROLLBACK');
    await Promise.all(holders.map((holder) => holder.rollback()));
    for (const holder of holders) holder.release();
    await db.query('BEGIN');
    await db.query('UPDATE account SET n = 8 WHERE id = 2');
    await db.query('COMMIT');
  });

  test('several statements of which the first ended it, and one failed: what they began is open, as with mysql2', async () => {
    const nodes = servers.options().mysql;
    const several = (url: unknown): string => `${url}?multipleStatements=true`;
    await using other = await createMysqlCluster({
      ...nodes,
      primary: several(nodes.primary),
      replicas: nodes.replicas.map(several),
    });
    await using db = await other.getConnection();
    await db.query('START TRANSACTION READ ONLY');
    await db.query('SELECT n FROM account WHERE id = 1');
    await expect(db.query('BEGIN; UPDATE account SET n = 9; SELECT missing')).rejects.toMatchObject({
      errno: 1054,
    });
    const [rows] = await db.query<RowDataPacket[]>('SELECT n FROM account WHERE id = 2');
    expect(rows).toEqual([{ n: 9 }]);
    await db.query('ROLLBACK');
    await db.query('UPDATE account SET n = 3 WHERE id = 1');
    await eventually('only the last one is written', async () => {
      const left = await servers.primary.query('SELECT n FROM shop.account ORDER BY id');
      return JSON.stringify(left) === '[{"n":3},{"n":50}]';
    });
  });
});
