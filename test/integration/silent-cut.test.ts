/** The connection of replication is cut in silence, and the replica goes on to report that it is in step. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

const MAX_LAG_MS = 1_500;

describe.each(CLIENT_DATABASES)('on $name', ({ options }) => {
  const isMysql = options.flavor === 'mysql';
  let servers: LocalCluster;
  let replica: LocalDatabaseNode;
  const clients: MysqlCluster[] = [];

  /** A client that reaches all servers directly, while replication takes the way that is cut. */
  async function clientWith(lagSource: 'auto' | (() => Promise<number>)): Promise<MysqlCluster> {
    const settings = servers.options().mysql;
    const primary = settings.primary
      ?.toString()
      .replace(servers.primary.id, `127.0.0.1:${servers.primary.realPort}`);
    const client = await createMysqlCluster({
      ...settings,
      ...(primary === undefined ? {} : { primary }),
      discover: false,
      reads: { maxLagMs: MAX_LAG_MS },
      monitor: { ...settings.monitor, intervalMs: 250, lagSource },
    });
    clients.push(client);
    return client;
  }

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, replicas: 1, memcached: 0, php: false });
    const [first] = servers.replicas;
    if (first === undefined) throw new Error('There is no replica');
    replica = first;
    // The limits of the servers themselves, which are far longer than the test.
    for (const sql of isMysql
      ? [
          'STOP REPLICA',
          'SET GLOBAL replica_net_timeout = 60',
          'CHANGE REPLICATION SOURCE TO SOURCE_HEARTBEAT_PERIOD = 30',
          'START REPLICA',
        ]
      : [
          'STOP SLAVE',
          'SET GLOBAL slave_net_timeout = 60',
          'CHANGE MASTER TO MASTER_HEARTBEAT_PERIOD = 30',
          'START SLAVE',
        ])
      await replica.query(sql);
    await servers.primary.query('CREATE TABLE shop.t (id INT)');
    await servers.waitForReplication();
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await servers?.close();
  });

  test('it is left out when it lacks what the primary has had for too long', async () => {
    const client = await clientWith('auto');
    // What it reports is all that this one goes by.
    const gullible = await clientWith(async () => 0);
    const isReader = (of: MysqlCluster): boolean => of.explain('SELECT 1').node === replica.id;
    await eventually('the replica serves', () => isReader(client) && isReader(gullible));
    const cut = servers.primary.faults.partition();
    try {
      await eventually('the replica is left out', async () => {
        await servers.primary.query('INSERT INTO shop.t VALUES (1)');
        return !isReader(client);
      });
      // Who comes now has never seen the replica in step, and cannot tell how long it has not been.
      const late = await clientWith('auto');
      expect(isReader(late)).toBe(false);
      const lateLook = () => late.topology().nodes.find(({ id }) => id === replica.id);
      await eventually('the late one looks again', () => {
        const node = lateLook();
        return node?.state === 'up' && node.upSince !== undefined && node.seenAt > node.upSince;
      });
      expect(isReader(late)).toBe(false);
      expect(lateLook()).toMatchObject({ lag: { ms: null } });
      expect(isReader(gullible)).toBe(true);
      const [row] = await replica.query(isMysql ? 'SHOW REPLICA STATUS' : 'SHOW SLAVE STATUS');
      expect(row?.['Seconds_Behind_Source'] ?? row?.['Seconds_Behind_Master']).toBe(0);
    } finally {
      cut.heal();
    }
    await eventually('the replica serves them all again', () => clients.every(isReader));
  });
});
