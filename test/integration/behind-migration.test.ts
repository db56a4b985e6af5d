/** Reads of what a migration has just made, on a replica whose SQL thread stands still: the primary is asked then. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { RouteEvent } from '../../src/mysql/session-ports.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { EVERY_CLIENT_DATABASE, wholeTest } from './client-databases.js';
import { eventually } from './eventually.js';

type Row = Record<string, unknown>;

describe.each(EVERY_CLIENT_DATABASE)('on $name', ({ name, flavor, options }) => {
  const once = wholeTest(name);
  let servers: LocalCluster;
  let cluster: MysqlCluster;
  let routes: RouteEvent[] = [];

  beforeAll(async () => {
    servers = await startLocalCluster({
      ...options,
      replicas: 1,
      memcached: 0,
      php: false,
      serverArgs: { mysql: ['--log-bin-trust-function-creators=1'] },
    });
    const ofOld = [
      'CREATE TABLE shop.old (id INT PRIMARY KEY, v VARCHAR(40))',
      "INSERT INTO shop.old VALUES (1, 'a')",
    ];
    for (const sql of ofOld) await servers.primary.query(sql);
    await servers.waitForReplication();
    cluster = await clusterOf({});
    const [replica] = servers.replicas;
    for (const sql of flavor === 'mysql'
      ? ['STOP REPLICA', 'CHANGE REPLICATION SOURCE TO SOURCE_DELAY=3600', 'START REPLICA']
      : ['STOP SLAVE', 'CHANGE MASTER TO MASTER_DELAY=3600', 'START SLAVE'])
      await replica?.query(sql);
    const migration = [
      'CREATE TABLE shop.lamps (id INT PRIMARY KEY)',
      'INSERT INTO shop.lamps VALUES (7)',
      'ALTER TABLE shop.old ADD COLUMN w INT DEFAULT 5, ADD INDEX of_v (v), ADD FULLTEXT INDEX words (v)',
      'CREATE TABLE shop.parts (id INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10))',
      'CREATE FUNCTION shop.five() RETURNS INT DETERMINISTIC NO SQL RETURN 5',
      'CREATE DATABASE tenant',
      "GRANT ALL ON tenant.* TO app@'%'",
      "GRANT ALL ON mine.* TO app@'%'",
      'CREATE TABLE tenant.own (id INT PRIMARY KEY)',
      'INSERT INTO tenant.own VALUES (9)',
      'CREATE TABLE tenant.old (id INT PRIMARY KEY, v VARCHAR(40))',
      "INSERT INTO tenant.old VALUES (1, 'of the tenant')",
    ];
    for (const sql of migration) await servers.primary.query(sql);
    await eventually('the replica is seen to be late and may serve', () => {
      const seen = cluster.topology().nodes.find(({ id }) => id === replica?.id);
      const isLate = seen?.state === 'up' && seen.facts.channels[0]?.delayMs === 3_600_000;
      return isLate && cluster.explain('SELECT 1').node === replica?.id;
    });
  });
  afterAll(async () => {
    await cluster?.close();
    await servers?.close();
  });
  beforeEach(() => {
    routes = [];
  });

  async function clusterOf(reads: object): Promise<MysqlCluster> {
    const { mysql } = servers.options();
    const made = await createMysqlCluster({
      ...mysql,
      // On a busy machine a server is slow and not down.
      monitor: { ...mysql.monitor, timeoutMs: 10_000 },
      startTimeoutMs: 60_000,
      reads: { maxLagMs: Number.POSITIVE_INFINITY, ...reads },
      functions: { readOnly: ['five'] },
    });
    made.on('route', (event) => routes.push(event));
    return made;
  }

  function roles(): string[] {
    return routes.map(({ role }) => role);
  }

  test.each([
    ['a table', 'SELECT id AS x FROM lamps', 7],
    ['a column', 'SELECT w AS x FROM old', 5],
    ['a routine', 'SELECT five() AS x', 5],
    ['an index', 'SELECT id AS x FROM old FORCE INDEX (of_v) WHERE v = "a"', 1],
    ['a full-text index', "SELECT COUNT(*) AS x FROM old WHERE MATCH (v) AGAINST ('nothing')", 0],
    ['a partition', 'SELECT COUNT(*) AS x FROM parts PARTITION (p0)', 0],
  ])('%s that only the primary has', async (_, sql, x) => {
    for (const run of ['query', 'execute'] as const) {
      routes = [];
      const [rows] = run === 'query' ? await cluster.query(sql) : await cluster.execute(sql);
      expect((rows as unknown as Row[]).map((row) => Number(row['x']))).toEqual([x]);
      expect(roles()).toEqual(['replica', 'primary']);
      expect(routes[1]?.because).toMatch(
        /^127\.0\.0\.1:\d+ may be behind, which answered: error \d{4}, an? [\w -]+ that it lacks$/,
      );
    }
  });

  test('a value that the server takes for a name is in no reason', async () => {
    await using connection = await cluster.getConnection();
    await connection.query("SET SESSION sql_mode = 'ANSI_QUOTES'");
    routes = [];
    const read = connection.query('SELECT id FROM old WHERE v = "ada@example.com"');
    await expect(read).rejects.toMatchObject({ errno: 1054 });
    expect(roles()).toEqual(['replica', 'primary']);
    expect(routes.map(({ because }) => because).join('\n')).not.toContain('ada');
  });

  test('a database that only the primary has: named, or chosen before', async () => {
    const connection = await cluster.getConnection();
    try {
      expect((await connection.query('SELECT id FROM tenant.own'))[0]).toEqual([{ id: 9 }]);
      expect(roles()).toEqual(['replica', 'primary']);
      await connection.query('USE tenant');
      await cluster.query('SELECT 1');
      const [rows] = await connection.query('SELECT id FROM own');
      expect(rows).toEqual([{ id: 9 }]);
      expect(routes.at(-1)).toMatchObject({ role: 'primary' });
    } finally {
      connection.release();
    }
  });

  test('a database that is chosen where nothing else was asked before', async () => {
    await using connection = await cluster.getConnection();
    const of = async (): Promise<unknown> =>
      ((await connection.execute('SELECT v FROM old WHERE id = ?', [1]))[0] as unknown as Row[])[0]?.['v'];
    expect(await of()).toBe('a');
    routes = [];
    await connection.query('USE tenant');
    expect(roles()).toEqual(['replica', 'primary']);
    expect(await of()).toBe('of the tenant');
    await connection.query('USE shop');
    expect(await of()).toBe('a');
    await expect(connection.query('USE nowhere')).rejects.toMatchObject({ errno: expect.any(Number) });
    expect((await connection.query('SELECT DATABASE() AS d'))[0]).toEqual([{ d: 'shop' }]);
  });

  test('a database that the scope made is chosen where it is', async () => {
    await cluster.run({}, async () => {
      await cluster.query('CREATE DATABASE IF NOT EXISTS mine');
      await using connection = await cluster.getConnection();
      await connection.query('USE mine');
      expect(connection.node).toBe(servers.primary.id);
      await cluster.query('DROP DATABASE mine');
    });
  });

  once('rows that come one by one', async () => {
    const rows: Row[] = [];
    const stream = cluster.callbackPool().query('SELECT id FROM lamps').stream();
    for await (const row of stream) rows.push(row as Row);
    expect(rows).toEqual([{ id: 7 }]);
  });

  once('it is no write: the session and the scope go on reading from the replica', async () => {
    await cluster.run({}, async () => {
      const connection = await cluster.getConnection();
      try {
        await connection.query('SELECT id FROM lamps');
        expect(cluster.scope).toMatchObject({ wrote: false, token: '' });
        await connection.query('SELECT v FROM old');
      } finally {
        connection.release();
      }
      await cluster.query('SELECT v FROM old');
    });
    expect(roles()).toEqual(['replica', 'primary', 'replica', 'replica']);
    expect(cluster.explain('SELECT id FROM lamps')).toMatchObject({ kind: 'read', role: 'replica' });
  });

  once('what nobody knows is the answer of the primary, after two questions', async () => {
    await expect(cluster.query('SELECT id FROM nowhere')).rejects.toMatchObject({ errno: 1146 });
    expect(roles()).toEqual(['replica', 'primary']);
    await expect(cluster.query('SELECT id FROM shop.old WHERE')).rejects.toMatchObject({ errno: 1064 });
    expect(roles()).toEqual(['replica', 'primary', 'replica']);
  });

  once(
    'who reads from replicas only, or in a transaction on one, gets the answer of the replica',
    async () => {
      const sql = 'SELECT id FROM lamps';
      await expect(cluster.query({ sql, preference: 'replica' } as never)).rejects.toMatchObject({
        errno: 1146,
      });
      expect(roles()).toEqual(['replica']);
      routes = [];
      const connection = await cluster.getConnection();
      try {
        await connection.query('START TRANSACTION READ ONLY');
        await expect(connection.query(sql)).rejects.toMatchObject({ errno: 1146 });
        await connection.query('COMMIT');
      } finally {
        connection.release();
      }
      expect(new Set(roles())).toEqual(new Set(['replica']));
    },
  );

  once('the share of reads that the primary may take holds for them, too', async () => {
    const frugal = await clusterOf({ primaryShareLimit: 0 });
    try {
      await expect(frugal.query('SELECT id FROM lamps')).rejects.toMatchObject({ errno: 1146 });
      expect(roles()).toEqual(['replica']);
    } finally {
      await frugal.close();
    }
  });

  once('while the primary cannot be asked, the answer of the replica is the answer', async () => {
    const release = cluster.failoverPorts().targets.isolate(servers.primary.id, 'test');
    try {
      await expect(cluster.query('SELECT id FROM lamps')).rejects.toMatchObject({ errno: 1146 });
      expect(roles()).toEqual(['replica']);
    } finally {
      release();
    }
  });
});
