/** Distributed transactions while the primary is replaced: what is prepared is neither lost nor done twice. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlConnection } from '../../src/mysql/promise-connection.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { EVERY_CLIENT_DATABASE } from './client-databases.js';
import { eventually } from './eventually.js';

describe.each(EVERY_CLIENT_DATABASE)('on $name', ({ flavor, options }) => {
  let servers: LocalCluster;
  let cluster: MysqlCluster;

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, replicas: 1, memcached: 0, php: false });
    await servers.primary.query('CREATE TABLE shop.t (v VARCHAR(20) PRIMARY KEY)');
    await servers.waitForReplication();
    cluster = await createMysqlCluster({ ...servers.options().mysql, blockMs: 60_000 });
  });
  afterAll(async () => {
    await cluster?.close();
    await servers?.close();
  });

  async function begun(xid: string, ...further: readonly string[]): Promise<MysqlConnection> {
    const connection = await cluster.getConnection();
    await connection.query(`XA START '${xid}'`);
    await connection.query('INSERT INTO t VALUES (?)', [xid]);
    for (const text of further) await connection.query(`${text} '${xid}'`);
    return connection;
  }

  async function preparedOn(node: LocalDatabaseNode): Promise<readonly string[]> {
    const rows = await node.query<{ data: string }>('XA RECOVER');
    return rows.map(({ data }) => String(data)).sort();
  }

  test('the end of one that is prepared is told to be elsewhere, and works there once', async () => {
    const [old, next] = [servers.primary, servers.replicas[0] as LocalDatabaseNode];
    const prepared = await begun('prepared', 'XA END', 'XA PREPARE');
    const undone = await begun('undone', 'XA END', 'XA PREPARE');
    const open = await begun('open');
    const ended = await begun('ended', 'XA END');
    await eventually('the replica has what is prepared', async () => (await preparedOn(next)).length === 2);
    await old.query('SET GLOBAL read_only = 1');
    if (flavor === 'mariadb') {
      // MySQL ends them on a read-only server, too.
      await expect(prepared.query("XA COMMIT 'prepared'")).rejects.toMatchObject({
        code: 'ERR_WRITE_REFUSED',
        message: expect.stringContaining('still prepared'),
      });
    }
    const replica = flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
    for (const text of [`STOP ${replica}`, `RESET ${replica} ALL`, 'SET GLOBAL read_only = 0'])
      await next.query(text);
    await old.kill();
    await eventually('the replica is the primary', () => {
      const { writer } = cluster.topology();
      return writer.kind === 'primary' && writer.node === next.id;
    });
    for (const [connection, text] of [
      [prepared, "XA COMMIT 'prepared'"],
      [undone, "XA ROLLBACK 'undone'"],
      [open, "XA END 'open'"],
      [ended, "XA PREPARE 'ended'"],
      [ended, 'SELECT 1'],
    ] as const) {
      await expect(connection.query(text)).rejects.toMatchObject({ code: 'ERR_CONNECTION_LOST' });
    }
    for (const connection of [prepared, undone, open, ended]) connection.release();
    expect(await preparedOn(next)).toEqual(['prepared', 'undone']);
    await cluster.query("XA COMMIT 'prepared'");
    await cluster.query("XA ROLLBACK 'undone'");
    expect(await next.query('SELECT v FROM shop.t')).toEqual([{ v: 'prepared' }]);
    await expect(cluster.query("XA COMMIT 'prepared'")).rejects.toMatchObject({ errno: 1397 });
    expect(await preparedOn(next)).toEqual([]);
    await eventually('all connections are back', () =>
      cluster.stats().every(({ inFlight, pool }) => inFlight === 0 && pool.borrowed === 0),
    );
  });
});
