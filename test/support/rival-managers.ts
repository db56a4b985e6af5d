/** Several failover managers of one cluster that get into each other's way. */
import { type Cluster, createCluster, type FailoverHooks } from '../../src/index.js';
import type { LocalCluster, LocalDatabaseNode } from '../../src/testing/index.js';
import { eventually } from '../integration/eventually.js';
import { writableNodes } from './crash-at-step.js';

/** Opens one more cluster over `servers`, adds it to `open`, and waits until its manager knows the primary. */
export async function openManager(
  servers: LocalCluster,
  open: Cluster[],
  hooks: FailoverHooks = {},
  automatic = false,
): Promise<Cluster['failover']> {
  const { admin, repl } = servers.accounts;
  const cluster = await createCluster({
    mysql: servers.options().mysql,
    failover: {
      mode: 'auto',
      maxLoss: 'any',
      credentials: admin,
      replication: repl,
      automatic,
      leaseMs: 2_000,
      hooks,
    },
  });
  open.push(cluster);
  await eventually('there is a primary', () => cluster.failover.plan('switchover').catch(() => undefined));
  return cluster.failover;
}

/** Makes `to` the primary by `manager`, and waits until both others follow it. */
export async function switchTo(
  servers: LocalCluster,
  manager: Cluster['failover'],
  to: LocalDatabaseNode,
): Promise<void> {
  await eventually(`${to.name} is the primary`, async () => {
    await manager.switchover({ to: to.id }).catch(() => undefined);
    return (await writableNodes(servers))[0] === to;
  });
  await eventually('the others follow it', async () => {
    const rest = servers.databases.filter((node) => node !== to);
    const all = await Promise.all(rest.map((node) => node.query('SHOW SLAVE STATUS')));
    return all.every(([row]) => row?.['Master_Port'] === to.port && row['Slave_IO_Running'] === 'Yes');
  });
}
