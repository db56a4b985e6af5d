/** Texts are read as the server reads them: by the `sql_mode` that the session on the connection really has. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { MysqlNodeOptions } from '../../src/mysql/connection-options.js';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { killSessions } from '../support/kill-sessions.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

/** With backslashes that escape, one string and a comment; without, two strings and a call of a function that writes. */
const TWOFOLD = "SELECT @@server_id AS id, '\\' , evil() , ' AS x -- '";
/** Only where blanks before a parenthesis are ignored, this is certainly the built-in function. */
const BLANK = 'SELECT COUNT (*) AS n, @@server_id AS id FROM t';

describe.each(CLIENT_DATABASES)('on $name', ({ flavor, options }) => {
  let servers: LocalCluster;
  let before: string;
  const opened: MysqlCluster[] = [];

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, replicas: 1, memcached: 0, php: false });
    const { primary } = servers;
    before = String((await primary.query('SELECT @@global.sql_mode AS mode'))[0]?.['mode']);
    for (const node of servers.databases) {
      await node.query('SET GLOBAL log_bin_trust_function_creators = 1');
    }
    await primary.query('CREATE TABLE shop.t (v INT)');
    await primary.query('CREATE TABLE shop.calls (server INT)');
    await primary.query(
      'CREATE FUNCTION shop.evil() RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO shop.calls VALUES (@@server_id); RETURN 1; END',
    );
    if (flavor === 'mariadb') await primary.query('CREATE SEQUENCE shop.s');
    await servers.waitForReplication();
  });
  afterAll(async () => {
    await servers?.close();
  });
  afterEach(async () => {
    for (const cluster of opened.splice(0)) await cluster.close();
    await setGlobal(before);
    await servers.primary.query('DELETE FROM shop.calls');
  });

  async function setGlobal(mode: string, nodes = servers.databases): Promise<void> {
    for (const node of nodes) await node.query('SET GLOBAL sql_mode = ?', [mode]);
  }

  async function open(node: MysqlNodeOptions = {}): Promise<MysqlCluster> {
    const { primary, replicas, monitor } = servers.options().mysql;
    const cluster = await createMysqlCluster({
      primary: { url: primary, ...node },
      replicas: replicas.map((url) => ({ url, ...node })),
      monitor,
      pool: { max: 2 },
    });
    opened.push(cluster);
    // Whoever has connected to every node knows how their sessions begin.
    await cluster.query('SELECT 1');
    await cluster.query('SELECT 1 FOR UPDATE');
    return cluster;
  }

  async function roleOf(of: Pick<MysqlCluster, 'query'>, sql: string): Promise<string> {
    const [rows] = await of.query(sql);
    const id = (rows as unknown as { id: number }[])[0]?.id;
    return id === servers.primary.serverId ? 'primary' : 'replica';
  }

  const calls = async (): Promise<unknown> =>
    (await servers.primary.query('SELECT server FROM shop.calls')).length;

  test('as the server was told to', async () => {
    const usual = await open();
    expect(await roleOf(usual, TWOFOLD)).toBe('replica');
    expect(await roleOf(usual, BLANK)).toBe('replica');
    expect(await calls()).toBe(0);
    await setGlobal('NO_BACKSLASH_ESCAPES');
    const other = await open();
    expect(await roleOf(other, TWOFOLD)).toBe('primary');
    expect(await calls()).toBe(1);
  });

  test('as the options of every node say, and as its flags say', async () => {
    const other = await open({ session: { sql_mode: 'NO_BACKSLASH_ESCAPES' } });
    expect(await roleOf(other, TWOFOLD)).toBe('primary');
    expect(await calls()).toBe(1);
    const strict = await open({ flags: ['-IGNORE_SPACE'] });
    expect(strict.explain(BLANK).role).toBe('primary');
  });

  test('as a new connection says, when the server was changed meanwhile, on all nodes or on one', async () => {
    for (const nodes of [servers.databases, servers.replicas]) {
      const cluster = await open();
      expect(await roleOf(cluster, TWOFOLD)).toBe('replica');
      const count = await calls();
      await setGlobal('NO_BACKSLASH_ESCAPES', nodes);
      // It has heard nothing of that when it is asked next, and has to connect anew.
      for (const node of servers.databases) {
        await killSessions(node, 'USER = ?', [servers.accounts.app.user]);
      }
      await eventually('its connections are gone', () =>
        cluster.stats().every(({ pool }) => pool.total === 0),
      );
      const roles: string[] = [];
      cluster.on('route', ({ sql, role }) => {
        if (sql === TWOFOLD) roles.push(role);
      });
      expect(await roleOf(cluster, TWOFOLD)).toBe('primary');
      // It was not even tried on the replica, which would have refused it.
      expect(roles).toEqual(['primary']);
      // Where the primary has still its old mode, even there nothing is called.
      expect(await calls()).toBe(nodes === servers.databases ? Number(count) + 1 : count);
      await setGlobal(before);
    }
  });

  test('as the session has set it, wherever it goes, and as before after its release', async () => {
    const cluster = await open();
    const connection = await cluster.getConnection();
    await connection.query("SET sql_mode = 'NO_BACKSLASH_ESCAPES'");
    expect(await roleOf(connection, 'SELECT @@server_id AS id')).toBe('replica');
    expect(await roleOf(connection, TWOFOLD)).toBe('primary');
    expect(await calls()).toBe(1);
    connection.release();
    const next = await cluster.getConnection();
    for (let read = 0; read < 3; read += 1) expect(await roleOf(next, TWOFOLD)).toBe('replica');
    // A mode that the server tells is as good as any other: what is certain in it is a read.
    await next.query("SET sql_mode = 'ANSI_QUOTES'");
    expect(await roleOf(next, "SELECT @@server_id AS \"id\", 'it\\'s' AS a, 'don\\'t' AS b")).toBe('replica');
    next.release();
    expect(await calls()).toBe(1);
  });

  test('after another user came, with everything that was set up', async () => {
    const cluster = await open({ session: { sql_mode: 'NO_BACKSLASH_ESCAPES', time_zone: '+05:00' } });
    const connection = await cluster.getConnection();
    await connection.changeUser({ database: 'information_schema' });
    const [rows] = await connection.query('SELECT @@sql_mode AS mode, @@session.time_zone AS zone');
    expect(rows).toEqual([{ mode: 'NO_BACKSLASH_ESCAPES', zone: '+05:00' }]);
    connection.release();
  });

  if (flavor === 'mariadb') {
    test('in the mode of Oracle', async () => {
      await setGlobal('ORACLE');
      const cluster = await open();
      expect(await roleOf(cluster, 'SELECT @@server_id AS id')).toBe('replica');
      expect(await roleOf(cluster, 'SELECT s.nextval AS "n", @@server_id AS id FROM dual')).toBe('primary');
      await cluster.transaction((db) => db.query('INSERT INTO t VALUES (1)'));
      expect((await servers.primary.query('SELECT v FROM shop.t')).length).toBe(1);
    });
  }
});
