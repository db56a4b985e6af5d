/** What goes on, or stays, after a statement: the work of a call that was given up, and the state that routines leave in a session. */
import type { PoolConnection, RowDataPacket } from 'mysql2';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { UNREAD_MS } from '../../src/mysql/deferred-command.js';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlOptions } from '../../src/mysql/mysql-options.js';
import type { MysqlConnection } from '../../src/mysql/promise-connection.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { EVERY_CLIENT_DATABASE, wholeTest } from './client-databases.js';
import { connectionListenerStory } from './connection-listeners.js';
import { eventually } from './eventually.js';

interface Left {
  readonly variable: unknown;
  readonly zone: unknown;
  readonly lock: unknown;
  readonly session: unknown;
}

describe.each(EVERY_CLIENT_DATABASE)('on $name', ({ name, flavor, options }) => {
  let servers: LocalCluster;
  let cluster: MysqlCluster;

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, replicas: 1, memcached: 0, php: false });
    for (const sql of [
      'CREATE TABLE shop.t (id INT PRIMARY KEY, v INT)',
      'CREATE TABLE shop.slow (id INT PRIMARY KEY)',
      'CREATE PROCEDURE shop.naps() SQL SECURITY INVOKER BEGIN DO SLEEP(60); DO SLEEP(60); END',
      'CREATE PROCEDURE shop.naps_as_owner() BEGIN DO SLEEP(60); DO SLEEP(60); END',
      'CREATE FUNCTION shop.nap() RETURNS INT NO SQL SQL SECURITY INVOKER BEGIN DO SLEEP(60); RETURN 1; END',
      "CREATE DEFINER = 'app'@'%' TRIGGER shop.dozes BEFORE INSERT ON shop.slow FOR EACH ROW DO SLEEP(60)",
      "GRANT TRIGGER ON shop.* TO 'app'@'%'",
      ...['var', 'zone', 'temp', 'fails'].map((name) => `CREATE TABLE shop.${name} (id INT)`),
      'CREATE TRIGGER shop.var_set BEFORE INSERT ON shop.var FOR EACH ROW SET @left = 5',
      "CREATE TRIGGER shop.zone_set BEFORE INSERT ON shop.zone FOR EACH ROW SET time_zone = '+03:00'",
      'CREATE TRIGGER shop.temp_made BEFORE INSERT ON shop.temp FOR EACH ROW CALL shop.makes()',
      'CREATE TRIGGER shop.fails_set BEFORE INSERT ON shop.fails FOR EACH ROW CALL shop.sets_and_fails()',
      'CREATE PROCEDURE shop.makes() CREATE TEMPORARY TABLE IF NOT EXISTS shop.left_over (i INT)',
      "CREATE PROCEDURE shop.sets_and_fails() BEGIN SET @left = 5; SET time_zone = '+03:00'; SIGNAL SQLSTATE '45000'; END",
      'CREATE FUNCTION shop.takes() RETURNS INT DETERMINISTIC BEGIN SET @left = 5; RETURN GET_LOCK("left", 0); END',
    ])
      await servers.primary.query(sql);
    await servers.waitForReplication();
    cluster = await start();
  });

  afterAll(async () => {
    await cluster?.close();
    await servers?.close();
  });

  function start(more: MysqlOptions = {}): Promise<MysqlCluster> {
    return createMysqlCluster({ ...servers.options().mysql, pool: { max: 2 }, ...more });
  }

  async function sleepers(): Promise<unknown[]> {
    return servers.primary.query(
      "SELECT ID, INFO FROM information_schema.PROCESSLIST WHERE INFO LIKE '%SLEEP(60)%' AND INFO NOT LIKE '%PROCESSLIST%'",
    );
  }

  test('a call that is given up ends on the server, whatever it was doing there', async () => {
    const failed: unknown[] = [];
    cluster.on('kill-failed', (failure) => failed.push(failure));
    const texts = [
      'SELECT SLEEP(60)',
      'CALL naps()',
      'SELECT nap()',
      'INSERT INTO t VALUES (1, nap())',
      'INSERT INTO slow VALUES (1)',
    ];
    const calls = texts.map((sql): [string, (db: MysqlConnection) => Promise<unknown>] => [
      sql,
      (db) => db.query({ sql, timeoutMs: 300 }),
    ]);
    calls.push([
      'EXECUTE',
      async (db) => {
        await db.query("PREPARE sleepy FROM 'SELECT SLEEP(60)'");
        await db.query({ sql: 'EXECUTE sleepy', timeoutMs: 300 });
      },
    ]);
    if (flavor === 'mariadb')
      calls.push([
        'EXECUTE IMMEDIATE',
        (db) => db.query({ sql: "EXECUTE IMMEDIATE 'SELECT SLEEP(60)'", timeoutMs: 300 }),
      ]);
    calls.push([
      'a nested transaction',
      () =>
        cluster.transaction(async (db) => {
          await db.query('INSERT INTO t VALUES (2, 2)');
          await cluster.transaction((inner) => inner.query('DO SLEEP(60)'), { timeoutMs: 300 });
        }),
    ]);
    const destroyed = await cluster.getConnection();
    const sleeping = destroyed.query('SELECT SLEEP(60) FOR UPDATE').catch((error: unknown) => error);
    await eventually('it sleeps', async () => (await sleepers()).length === 1);
    destroyed.destroy();
    expect(await sleeping).toBeInstanceOf(Error);
    await eventually(
      'what a destroyed connection did has ended',
      async () => (await sleepers()).length === 0,
    );
    for (const [what, call] of calls) {
      const connection = await cluster.getConnection();
      await expect(call(connection), what).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
      connection.release();
      await eventually(`${what} has ended`, async () => (await sleepers()).length === 0);
    }
    expect(failed).toEqual([]);
  });

  test('what triggers and functions leave in a session is gone before the next borrower comes', async () => {
    const single = await start({ pool: { max: 1 } });
    const found = async (): Promise<Left> => {
      const sql = `SELECT @left AS variable, @@time_zone AS zone, IS_USED_LOCK('left') AS \`lock\`, CONNECTION_ID() AS session`;
      const [rows] = await single.query(sql);
      return (rows as unknown as Left[])[0] as Left;
    };
    try {
      const before = await found();
      const several = flavor === 'mariadb' ? ['INSERT INTO var VALUES (1) RETURNING id'] : [];
      for (const sql of [
        'INSERT INTO var VALUES (1)',
        'INSERT INTO zone VALUES (1)',
        'INSERT INTO temp VALUES (1)',
        'INSERT INTO fails VALUES (1)',
        'INSERT INTO t VALUES (7, takes())',
        'UPDATE t SET v = takes() WHERE id = 7',
        'DELETE FROM t WHERE takes() = v',
        ...several,
      ]) {
        const write = single.query(sql);
        if (sql.includes('fails')) await expect(write).rejects.toMatchObject({ errno: 1644 });
        else await write;
        // The same connection, and nothing of it left.
        expect([sql, await found()]).toEqual([sql, before]);
        await expect(single.query('INSERT INTO left_over VALUES (1)'), sql).rejects.toMatchObject({
          errno: 1146,
        });
      }
    } finally {
      await single.close();
    }
  });

  const onEach = flavor === 'mysql' ? test : wholeTest(name);
  onEach(
    'what runs with the rights of another account is ended by the account of the monitor, or told as an event',
    async () => {
      const admin = flavor === 'mysql' ? 'CONNECTION_ADMIN' : 'CONNECTION ADMIN';
      await servers.primary.query(`REVOKE ${admin} ON *.* FROM 'monitor'@'%'`).catch(() => undefined);
      const failed: unknown[] = [];
      const own = await start();
      own.on('kill-failed', (failure) => failed.push(failure));
      const sql = 'CALL naps_as_owner()';
      try {
        await expect(own.query({ sql, timeoutMs: 300 })).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
        await eventually('it is told', () => failed.length > 0);
        expect(failed).toMatchObject([{ sql, error: { code: 'ERR_MISSING_PRIVILEGE' } }]);
        const [left] = (await sleepers()) as { ID: number }[];
        expect(failed).toMatchObject([{ threadId: left?.ID }]);
        await servers.primary.query(`KILL ${left?.ID}`);

        await servers.primary.query(`GRANT ${admin} ON *.* TO 'monitor'@'%'`);
        await expect(own.query({ sql, timeoutMs: 300 })).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
        await eventually('it has ended', async () => (await sleepers()).length === 0);
        expect(failed).toHaveLength(1);
      } finally {
        await own.close();
      }
    },
  );

  onEach('a stream that nobody reads does not keep a connection that was released', async () => {
    const own = await start({ pool: { max: 1 } });
    const [replica] = servers.replicas;
    if (replica === undefined) throw new Error('there is no replica');
    const sql = 'SELECT a.COLUMN_NAME FROM information_schema.COLUMNS a JOIN information_schema.COLUMNS b';
    const running = (): Promise<unknown[]> =>
      replica.query(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT a.COLUMN_NAME FROM%'",
      );
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    // Nothing else is to be hurried than what watches the stream.
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const connection = await new Promise<PoolConnection>((resolve, reject) => {
        own.callbackPool().getConnection((error, made) => (error ? reject(error) : resolve(made)));
      });
      const stream = connection.query<RowDataPacket[]>(sql).stream();
      await eventually('it runs', async () => (await running()).length === 1, 60_000);
      connection.release();
      vi.advanceTimersByTime(UNREAD_MS - 1);
      expect([stream.destroyed, warn.mock.calls.length]).toEqual([false, 0]);
      expect(await running()).toHaveLength(1);
      vi.advanceTimersByTime(1);
      expect([stream.destroyed, warn.mock.calls.length]).toEqual([true, 1]);
      expect((await own.query({ sql: 'SELECT 1 AS one', timeoutMs: 60_000 }))[0]).toEqual([{ one: 1 }]);
      await eventually('it has ended on the server', async () => (await running()).length === 0, 60_000);
    } finally {
      vi.useRealTimers();
      warn.mockRestore();
      await own.close();
    }
  });

  if (flavor === 'mysql') {
    describe('a listener of `connection`', () => connectionListenerStory(() => servers));
  }
});
