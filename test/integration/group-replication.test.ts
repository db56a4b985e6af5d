/** Three members of a MySQL group: the group names its primary, and reads and writes follow when a member is killed. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ErrorCode, isStormlampError } from '../../src/common/stormlamp-error.js';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { freePort } from '../../src/testing/process/free-port.js';
import { effectiveLagMs, roleOf } from '../../src/topology/node-description.js';
import { eventually } from './eventually.js';

let servers: LocalCluster;
let client: MysqlCluster;
const ports: number[] = [];
/** What waits for a member that comes back, or is late, is asked by `npm run chaos -- topology` only. */
const isLongForm = process.env['STORMLAMP_CHAOS'] === '1';
const GROUP = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee';

beforeAll(async () => {
  servers = await startLocalCluster({ flavor: 'mysql', replicas: 2, memcached: 0, php: false });
  const { primary, databases, replicas } = servers;
  const { app, monitor, repl } = servers.accounts;
  await primary.query(
    `GRANT BACKUP_ADMIN, CONNECTION_ADMIN, GROUP_REPLICATION_STREAM ON *.* TO '${repl.user}'@'%'`,
  );
  await primary.query(`GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '${monitor.user}'@'%'`);
  await servers.waitForReplication();
  for (const replica of replicas) {
    await replica.query('STOP REPLICA');
    await replica.query('RESET REPLICA ALL');
  }
  ports.push(...(await Promise.all(databases.map(() => freePort()))));
  for (const [index, node] of databases.entries()) {
    await node.query('SET GLOBAL super_read_only = 0');
    await node.query("INSTALL PLUGIN group_replication SONAME 'group_replication.so'");
    await join(node, index === 0);
  }
  const url = ({ id }: LocalDatabaseNode): string =>
    `mysql://${app.user}:${app.password}@${id}/${servers.database}`;
  // One member is enough: it names the others.
  const options = {
    nodes: [url(databases[1] as LocalDatabaseNode)],
    monitor: { credentials: monitor, intervalMs: 200 },
  };
  await expect(createMysqlCluster(options)).rejects.toMatchObject({
    code: 'ERR_MISSING_PRIVILEGE',
    message: expect.stringContaining('GRANT SELECT ON performance_schema.replication_group_members'),
  });
  await servers.primary.query(`GRANT SELECT ON performance_schema.* TO '${monitor.user}'@'%'`);
  client = await eventually('the grant has reached all', () =>
    createMysqlCluster(options).catch(() => undefined),
  );
  await client.query('CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL)');
  await client.query('INSERT INTO t VALUES (1, 0)');
}, 180_000);
afterAll(async () => {
  await client?.close();
  await servers?.close();
});

/** Starts the member; what it is told is forgotten when its process ends, since these servers read no files. */
async function join(node: LocalDatabaseNode, first: boolean): Promise<void> {
  const settings = {
    group_replication_group_name: GROUP,
    group_replication_local_address: `127.0.0.1:${ports[node.serverId - 1]}`,
    group_replication_group_seeds: ports.map((port) => `127.0.0.1:${port}`).join(','),
    group_replication_ip_allowlist: '127.0.0.1/8',
    group_replication_recovery_get_public_key: 'ON',
    group_replication_member_expel_timeout: '0',
  };
  for (const [name, value] of Object.entries(settings)) {
    await node.query(`SET GLOBAL ${name} = ${/^\d+$/.test(value) ? value : `'${value}'`}`);
  }
  const { user, password } = servers.accounts.repl;
  if (first) await node.query('SET GLOBAL group_replication_bootstrap_group = ON');
  await node
    .query(`START GROUP_REPLICATION USER='${user}', PASSWORD='${password}'`)
    .catch((error: unknown) => {
      // On a busy machine it takes longer than a question to a server may; it goes on all the same.
      if (isStormlampError(error, ErrorCode.TIMEOUT)) return;
      throw new Error(`${node.name} did not join: ${String(error)}\n${node.log(30)}`);
    });
  if (first) await node.query('SET GLOBAL group_replication_bootstrap_group = OFF');
  await eventually(`${node.name} is online`, async () => {
    const rows = await node.query(
      'SELECT MEMBER_STATE AS state FROM performance_schema.replication_group_members WHERE MEMBER_ID = @@server_uuid',
    );
    return rows[0]?.['state'] === 'ONLINE';
  });
}

const roles = (): Record<string, string> =>
  Object.fromEntries(client.topology().nodes.map((node) => [node.id, roleOf(node)]));
const writer = (): string | undefined => {
  const state = client.topology().writer;
  return state.kind === 'primary' ? state.node : undefined;
};
const readerOf = (): string | undefined => client.explain('SELECT 1').node;

test('the primary and the secondaries are those that the group names, from one seed', async () => {
  await eventually('all are known', () => client.topology().nodes.length === 3);
  expect(writer()).toBe(servers.databases[0]?.id);
  expect(Object.values(roles()).sort()).toEqual(['primary', 'replica', 'replica']);
  expect(client.topology().warnings).toEqual([]);
  await eventually('a secondary reads', () => readerOf() !== writer());
});

test('a scope sees its writes, and secondaries serve', async () => {
  const served = new Set<number>();
  for (let v = 1; v <= (isLongForm ? 200 : 50); v += 1) {
    const seen = await client.run({}, async () => {
      await client.execute('UPDATE t SET v = ? WHERE id = 1', [v]);
      const [rows] = await client.query<never>('SELECT v, @@server_id AS id FROM t WHERE id = 1');
      return (rows as { v: number; id: number }[])[0];
    });
    expect(seen?.v).toBe(v);
    served.add(seen?.id ?? 0);
  }
  expect(served.size).toBeGreaterThan(1);
});

if (isLongForm)
  test('a secondary that cannot apply is left out, and serves again when it has caught up', async () => {
    const late = servers.databases.find(({ id }) => id !== writer());
    if (late === undefined) throw new Error('There is no secondary');
    await late.query(`LOCK TABLES ${servers.database}.t READ`);
    try {
      await eventually('it is late', async () => {
        await client.query('UPDATE t SET v = v + 1 WHERE id = 1');
        const node = client.topology().nodes.find(({ id }) => id === late.id);
        return node !== undefined && (effectiveLagMs(node, performance.now()) ?? 0) > 2_000;
      });
      const explained = client.run({ maxLagMs: 1_000 }, () => client.explain('SELECT 1'));
      expect(explained.considered.find(({ node }) => node === late.id)).toMatchObject({ fit: false });
    } finally {
      await late.query('UNLOCK TABLES');
    }
    await eventually('it serves again', () => {
      const explained = client.run({ maxLagMs: 1_000 }, () => client.explain('SELECT 1'));
      return explained.considered.find(({ node }) => node === late.id)?.fit;
    });
  });

test('writes and reads follow when the primary is killed', async () => {
  const killed = servers.databases.find(({ id }) => id === writer());
  if (killed === undefined) throw new Error('There is no primary');
  const reads = client.run({ maxLagMs: 60_000 }, () => client.query('SELECT COUNT(*) FROM t'));
  await killed.kill();
  await client
    .query({ sql: 'UPDATE t SET v = v + 1 WHERE id = 1', timeoutMs: 50_000 })
    .catch(async (error: unknown) => {
      // The write may have been under way, or wait longer than blockMs: the group takes its time to elect.
      expect(['ERR_NO_PRIMARY', 'ERR_OUTCOME_UNKNOWN']).toContain((error as { code?: unknown }).code);
      await eventually('there is a primary', () => writer() !== undefined);
      await client.query('UPDATE t SET v = v + 1 WHERE id = 1');
    });
  await reads;
  expect(writer()).not.toBe(killed.id);
  expect(roles()[killed.id]).toBe('unknown');
  if (!isLongForm) return;
  await killed.start();
  await join(killed, false);
  await eventually('it is a secondary', () => roles()[killed.id] === 'replica');
  expect(Object.values(roles()).sort()).toEqual(['primary', 'replica', 'replica']);
});

if (isLongForm)
  test('a secondary that is killed reads no more, and the others go on', async () => {
    const killed = servers.databases.find(({ id }) => id !== writer());
    if (killed === undefined) throw new Error('There is no secondary');
    await killed.kill();
    await eventually('it is seen to be dead', () => roles()[killed.id] === 'unknown');
    await client.query('UPDATE t SET v = v + 1 WHERE id = 1');
    await client.query('SELECT v FROM t');
    expect(readerOf()).not.toBe(killed.id);
  });
