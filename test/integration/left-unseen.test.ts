/** What a procedure, function or trigger left on a connection, which no text shows: it is kept, or its loss is told; never dropped. */
import mysql from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlConnection } from '../../src/mysql/promise-connection.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { firstReplica } from '../support/first-replica.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

const GONE = {
  code: 'ERR_CONNECTION_LOST',
  message: expect.stringContaining('a procedure, function or trigger'),
};
const WRITE = 'UPDATE t SET v = v + 1 WHERE id = 1';

describe.each(CLIENT_DATABASES)('on $name', ({ flavor, options }) => {
  let servers: LocalCluster;
  let cluster: MysqlCluster;
  let plain: mysql.Connection;

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, replicas: 1, memcached: 0, php: false });
    for (const sql of [
      'CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)',
      'INSERT INTO shop.t (v) VALUES (0), (0)',
      'CREATE TABLE shop.zoned (id INT)',
      "CREATE PROCEDURE shop.locks() BEGIN DECLARE r INT; SELECT GET_LOCK('unseen', 0) INTO r; END",
      "CREATE PROCEDURE shop.locks_and_fails() BEGIN CALL locks(); SIGNAL SQLSTATE '45000'; END",
      "CREATE PROCEDURE shop.zones() SET time_zone = '+05:00'",
      'CREATE PROCEDURE shop.makes() CREATE TEMPORARY TABLE made (i INT)',
      'CREATE PROCEDURE shop.marks() SET @marked = 7',
      'CREATE TABLE shop.dead (id INT)',
      "CREATE TRIGGER shop.dies BEFORE INSERT ON shop.dead FOR EACH ROW SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
      "CREATE FUNCTION shop.lock_it() RETURNS INT NOT DETERMINISTIC NO SQL RETURN GET_LOCK('unseen', 0)",
      "CREATE TRIGGER shop.sets_zone BEFORE INSERT ON shop.zoned FOR EACH ROW SET time_zone = '+05:00'",
    ])
      await servers.primary.query(sql);
    await servers.waitForReplication();
    const { mysql: given } = servers.options();
    const several = (url: unknown): string => `${String(url)}?multipleStatements=true`;
    cluster = await createMysqlCluster({
      ...given,
      primary: several(given.primary),
      replicas: (given.replicas ?? []).map(several),
      pool: { max: 6 },
    });
    plain = await mysql.createConnection(String(given.primary));
  });

  afterAll(async () => {
    await plain?.end();
    await cluster?.close();
    await servers?.close();
  });

  const written = async (): Promise<unknown> => {
    const [row] = await servers.primary.query('SELECT v FROM shop.t WHERE id = 1');
    return row?.['v'];
  };

  /** Whether somebody else gets the lock, who lets go of it at once. */
  async function isFree(): Promise<boolean> {
    const [rows] = await plain.query("SELECT GET_LOCK('unseen', 0) AS got");
    await plain.query("DO RELEASE_LOCK('unseen')");
    return (rows as { got: number }[])[0]?.got === 1;
  }

  beforeEach(async () => {
    await servers.primary.query('UPDATE shop.t SET v = 0');
    await eventually('nobody has the lock', isFree);
  });

  async function kill({ threadId }: MysqlConnection): Promise<void> {
    await servers.primary.query(`KILL ${threadId}`);
    await eventually('the session is gone', async () => {
      const sql = `SELECT id FROM information_schema.processlist WHERE id = ${threadId}`;
      return (await servers.primary.query(sql)).length === 0;
    });
  }

  const WAYS: [string, ...string[]][] = [
    ['CALL locks()'],
    ['CALL zones()'],
    ['CALL makes()'],
    ['CALL marks()'],
    ['!CALL locks_and_fails()'],
    ['DO 1; CALL locks()'],
    ["PREPARE called FROM 'CALL locks()'", 'EXECUTE called', 'DEALLOCATE PREPARE called'],
    ['SELECT lock_it()'],
    ['UPDATE t SET v = lock_it() WHERE id = 2'],
    ['INSERT INTO zoned VALUES (1)'],
    ...(flavor === 'mariadb' ? [["EXECUTE IMMEDIATE 'CALL locks()'"] as [string]] : []),
  ];

  async function leave(db: Pick<MysqlConnection, 'query'>, statements: readonly string[]): Promise<void> {
    for (const sql of statements) {
      if (sql.startsWith('!')) await expect(db.query(sql.slice(1))).rejects.toMatchObject({ errno: 1644 });
      else await db.query(sql);
    }
  }

  test.each(WAYS)(
    '%s %s: when the connection dies while it is idle, nothing goes on without that',
    async (...ways) => {
      await using connection = await cluster.getConnection();
      await leave(connection, ways);
      await kill(connection);
      // A read does not depend on whether the end of the connection is known here already.
      await expect(connection.query('SELECT 1')).rejects.toMatchObject(GONE);
      for (const sql of [WRITE, 'SELECT @marked', 'ROLLBACK', 'BEGIN'])
        await expect(connection.query(sql), sql).rejects.toMatchObject(GONE);
      await expect(connection.ping()).rejects.toMatchObject(GONE);
      expect(await written()).toBe(0);
      await connection.reset();
      await connection.query(WRITE);
      expect(await written()).toBe(1);
    },
  );

  test('a write that is the first to find out is not done elsewhere', async () => {
    const connection = await cluster.getConnection();
    await connection.query('CALL locks()');
    await kill(connection);
    const [first, second] = await Promise.allSettled([connection.query(WRITE), connection.query(WRITE)]);
    expect(first).toMatchObject({
      reason: { code: expect.stringMatching(/^ERR_(CONNECTION_LOST|OUTCOME_UNKNOWN)$/) },
    });
    expect(second).toMatchObject({ reason: GONE });
    expect(await written()).toBe(0);
    connection.release();
    await using next = await cluster.getConnection();
    await next.query(WRITE);
    expect(await written()).toBe(1);
  });

  test('ping() stays where it is, and tells when that is gone', async () => {
    await using connection = await cluster.getConnection();
    await connection.query('CALL locks()');
    const { threadId } = connection;
    await connection.ping();
    await connection.query('SELECT id FROM t');
    await connection.query(WRITE);
    expect(connection.threadId).toBe(threadId);
    expect(await isFree()).toBe(false);
    await kill(connection);
    await expect(connection.ping()).rejects.toThrow();
    expect(await isFree()).toBe(true);
    await expect(connection.query(WRITE)).rejects.toMatchObject(GONE);
    expect(await written()).toBe(1);
  });

  test.each([
    ['inside of it', ['BEGIN', 'CALL zones()']],
    ['before it', ['CALL zones()', 'BEGIN']],
    ['in the one before it', ['BEGIN', 'CALL zones()', 'COMMIT', 'BEGIN']],
  ])(
    'a lost transaction is acknowledged first, then what a procedure left %s is told',
    async (_, statements) => {
      await using connection = await cluster.getConnection();
      for (const sql of statements) await connection.query(sql);
      await connection.query(WRITE);
      await kill(connection);
      const lost = { code: 'ERR_TRANSACTION_LOST' };
      for (const sql of ['SELECT 1', WRITE]) await expect(connection.query(sql)).rejects.toMatchObject(lost);
      await connection.rollback();
      for (const sql of ['SELECT 1', WRITE, 'ROLLBACK'])
        await expect(connection.query(sql), sql).rejects.toMatchObject(GONE);
      expect(await written()).toBe(0);
    },
  );

  test('what a procedure left is told behind a COMMIT whose answer did not come, too', async () => {
    await using connection = await cluster.getConnection();
    for (const sql of ['CALL locks()', 'BEGIN', WRITE]) await connection.query(sql);
    await kill(connection);
    await expect(connection.commit()).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_(TRANSACTION_LOST|OUTCOME_UNKNOWN)$/),
    });
    await connection.rollback().catch(() => undefined);
    await expect(connection.query(WRITE)).rejects.toMatchObject(GONE);
    expect(await written()).toBe(0);
  });

  test('transaction(fn) runs a function with procedures again as before', async () => {
    const attempt = async (
      fails: (db: MysqlConnection) => Promise<unknown>,
      retryLostConnection: boolean,
    ) => {
      let attempts = 0;
      const work = cluster.transaction(
        async (db) => {
          attempts += 1;
          await db.query('CALL zones()');
          // Behind it the server is asked whether that has committed.
          await db.query('SELECT id FROM t');
          if (attempts === 1) await fails(db);
          await db.query(WRITE);
        },
        { retryLostConnection },
      );
      const outcome = await work.then(
        () => 'committed',
        ({ code }) => code,
      );
      return [outcome, attempts, await written()];
    };
    const dies = async (db: MysqlConnection): Promise<void> => {
      await kill(db);
      // That statement is not the one whose outcome would be unknown.
      await db.query('SELECT 1').catch(() => undefined);
    };
    expect(await attempt((db) => db.query('INSERT INTO dead VALUES (1)'), false)).toEqual([
      'committed',
      2,
      1,
    ]);
    expect(await attempt(dies, true)).toEqual(['committed', 2, 2]);
    expect(await attempt(dies, false)).toEqual(['ERR_TRANSACTION_LOST', 1, 2]);
  });

  test('the next borrower finds nothing of it, on the same connection', async () => {
    const { mysql: given } = servers.options();
    await using single = await createMysqlCluster({
      ...given,
      primary: `${String(given.primary)}?multipleStatements=true`,
      pool: { max: 1 },
    });
    const found = async (): Promise<unknown> => {
      const sql =
        "SELECT CONNECTION_ID() AS session, IS_USED_LOCK('unseen') AS held, @@time_zone AS zone, @marked AS marked";
      const [rows] = await single.query(sql);
      await expect(single.query('UPDATE made SET i = 1')).rejects.toMatchObject({ errno: 1146 });
      return rows;
    };
    const before = await found();
    expect(before).toMatchObject([{ held: null, marked: null }]);
    // On the pool, a prepared text is whoever's connection it is next.
    for (const ways of WAYS.filter(({ length }) => length === 1)) {
      await leave(single, ways);
      expect([ways, await found()]).toEqual([ways, before]);
      const connection = await single.getConnection();
      await leave(connection, ways);
      connection.release();
      expect([ways, await found()]).toEqual([ways, before]);
    }
  });

  // The last one: the servers are not what they were.
  test('when another node becomes the primary, nothing goes on there without it', async () => {
    const idle = await cluster.getConnection();
    await idle.query('CALL locks()');
    const open = await cluster.getConnection();
    for (const sql of ['CALL zones()', 'BEGIN', 'INSERT INTO t (v) VALUES (9)']) await open.query(sql);
    const pinged = await cluster.getConnection();
    await pinged.query('CALL marks()');
    // Such a transaction stays where it is, on whatever that node becomes.
    const quiet = await cluster.getConnection();
    for (const sql of ['CALL zones()', 'START TRANSACTION READ ONLY', 'SELECT id FROM t'])
      await quiet.query(sql);
    // The same, and it has shown nothing yet.
    const begun = await cluster.getConnection();
    for (const sql of ['CALL zones()', 'START TRANSACTION READ ONLY']) await begun.query(sql);
    const next = firstReplica(servers);
    await servers.promote(next);
    await eventually('the client knows', () => {
      const { writer } = cluster.topology();
      return writer.kind === 'primary' && writer.node === next.id;
    });
    await expect(pinged.ping()).rejects.toMatchObject(GONE);
    for (const connection of [idle, pinged]) {
      for (const sql of [WRITE, 'SELECT 1', WRITE])
        await expect(connection.query(sql), sql).rejects.toMatchObject(GONE);
    }
    await expect(open.query(WRITE)).rejects.toMatchObject({ code: 'ERR_TRANSACTION_LOST' });
    await open.rollback();
    await expect(open.query(WRITE)).rejects.toMatchObject(GONE);
    // That node may be too far behind by now; what it answers, it answers with what was left there.
    const zone = begun.query('SELECT DISTINCT @@time_zone AS zone FROM t');
    const told = await zone.then(
      ([rows]) => JSON.stringify(rows),
      ({ code }) => code,
    );
    expect(['[{"zone":"+05:00"}]', 'ERR_NO_REPLICA']).toContain(told);
    for (const connection of [quiet, begun]) {
      await connection.query('COMMIT');
      for (const sql of ['SELECT 1', WRITE])
        await expect(connection.query(sql), sql).rejects.toMatchObject(GONE);
    }
    for (const connection of [idle, open, pinged, quiet, begun]) connection.release();
    await using after = await cluster.getConnection();
    await after.query(WRITE);
    expect(after.node).toBe(next.id);
    expect(await next.query('SELECT v FROM shop.t WHERE id = 1')).toEqual([{ v: 1 }]);
    expect(await next.query('SELECT v FROM shop.t WHERE v = 9')).toEqual([]);
  });
});
