/** A primary that was replaced since it was looked at: what must see something is not read from it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { CLIENT_DATABASES } from './client-databases.js';

type Row = Record<string, unknown>;

async function value(db: MysqlCluster, options: object): Promise<number> {
  const [rows] = await db.query({ sql: 'SELECT v FROM t WHERE id = 1', ...options });
  return Number((rows as unknown as Row[])[0]?.['v']);
}

describe.each(CLIENT_DATABASES)('on $name', ({ options }) => {
  const isMysql = options.flavor === 'mysql';
  let servers: LocalCluster;
  let sleepy: MysqlCluster;
  let token: string;

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, replicas: 1, memcached: 0, php: false });
    await servers.primary.query('CREATE TABLE shop.t (id INT PRIMARY KEY, v INT)');
    await servers.primary.query('INSERT INTO shop.t VALUES (1, 1)');
    await servers.waitForReplication();
    const settings = servers.options().mysql;
    // It looks so seldom that it never hears of the promotion by itself.
    sleepy = await createMysqlCluster({
      ...settings,
      reads: { maxLagMs: 3_600_000 },
      monitor: { ...settings.monitor, intervalMs: 3_600_000 },
    });
    expect(sleepy.topology().writer).toMatchObject({ kind: 'primary', node: servers.primary.id });
  });
  afterAll(async () => {
    await sleepy?.close();
    await servers?.close();
  });

  test('a token that nobody has is waited for once, and given up when the primary lacks it, too', async () => {
    const nobodys = isMysql ? 'aaaaaaaa-0000-0000-0000-000000000001:7' : '0-77-999';
    await sleepy.run({ after: nobodys, waitMs: 300 }, async () => {
      expect(await value(sleepy, {})).toBe(1);
      expect(sleepy.scope?.token).not.toContain(nobodys);
      expect(await value(sleepy, {})).toBe(1);
      // What is left is what the primary has, and replicas serve it.
      expect(sleepy.explain('SELECT 1').node).not.toBe(servers.primary.id);
    });
  });

  test('a read after a write to the new primary does not end at the old one', async () => {
    const [next] = servers.replicas;
    if (next === undefined) throw new Error('There is no replica');
    const old = servers.primary;
    await old.query('SET GLOBAL read_only = 1');
    await servers.waitForReplication();
    for (const sql of isMysql
      ? ['STOP REPLICA', 'RESET REPLICA ALL', 'SET GLOBAL read_only = 0']
      : ['STOP SLAVE', 'RESET SLAVE ALL', 'SET GLOBAL read_only = 0'])
      await next.query(sql);
    await next.query('UPDATE shop.t SET v = 2');
    const [row] = await next.query(
      `SELECT ${isMysql ? '@@global.gtid_executed' : '@@global.gtid_current_pos'} AS position`,
    );
    token = String(row?.['position']).replace(/\s+/g, '');
    expect(sleepy.topology().writer).toMatchObject({ node: old.id });
    expect(await value(sleepy, { preference: 'primary' })).toBe(1);

    expect(await value(sleepy, { after: token, preference: 'primary' })).toBe(2);
    expect(sleepy.topology().writer).toMatchObject({ node: next.id });
  });

  test('nor does one that follows a write whose GTID is not known', async () => {
    const [next] = servers.replicas;
    const old = servers.primary;
    if (next === undefined) throw new Error('There is no replica');
    // Back again, without another look of the client.
    await next.query('SET GLOBAL read_only = 1');
    for (const node of servers.databases)
      await sleepy.query({ sql: 'DO 1', timeoutMs: 200 }).catch(() => node);
    await old.query('SET GLOBAL read_only = 0');
    await old.query('UPDATE shop.t SET v = 3');
    expect(await value(sleepy, { after: '*', timeoutMs: 20_000 })).toBe(3);
  });
});
