/** What the elected process puts right, when its look began before a change and ended after it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChangeControl } from '../../src/failover/change/change-control.js';
import { type Cluster, createCluster, type FailoverHooks } from '../../src/index.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { writableNodes } from '../support/crash-at-step.js';
import { eventually } from './eventually.js';

let servers: LocalCluster;
let two: LocalDatabaseNode;
const open: Cluster[] = [];

beforeAll(async () => {
  servers = await startLocalCluster({ php: false, memcached: 0 });
  [two] = servers.replicas as [LocalDatabaseNode];
});
afterAll(async () => {
  await Promise.all(open.splice(0).map((cluster) => cluster.close()));
  await servers?.close();
});

async function manager(hooks: FailoverHooks = {}, automatic = false): Promise<Cluster['failover']> {
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

/** Makes `to` the primary, and waits until both others follow it. */
async function switchTo(other: Cluster['failover'], to: LocalDatabaseNode): Promise<void> {
  await eventually(`${to.name} is the primary`, async () => {
    await other.switchover({ to: to.id }).catch(() => undefined);
    return (await writableNodes(servers))[0] === to;
  });
  await eventually('the others follow it', async () => {
    const rest = servers.databases.filter((node) => node !== to);
    const all = await Promise.all(rest.map((node) => node.query('SHOW SLAVE STATUS')));
    return all.every(([row]) => row?.['Master_Port'] === to.port && row['Slave_IO_Running'] === 'Yes');
  });
}

test('a look for what has to be put right that takes so long that there is another primary', async () => {
  const other = await manager();
  const rebuilt: string[] = [];
  const told: string[] = [];
  const survey = ChangeControl.prototype.survey;
  let held = false;
  ChangeControl.prototype.survey = async function (this: ChangeControl, ...given): ReturnType<typeof survey> {
    const [primary] = given;
    // Only the elected process looks by itself, and asks for a primary when it does.
    if (!held && primary === servers.primary.id && new Error().stack?.includes('RepairShop') === true) {
      held = true;
      await switchTo(other, two);
      // The old primary does not have yet what the new one writes.
      await servers.primary.query('STOP SLAVE SQL_THREAD');
      await two.query('CREATE TABLE shop.newer (id INT PRIMARY KEY)');
    }
    return await survey.apply(this, given);
  };
  try {
    const rebuild: FailoverHooks['rebuild'] = ({ node }) => {
      rebuilt.push(node);
      return 'skipped';
    };
    const elected = await manager({ rebuild }, true);
    elected.on('node-diverged', ({ node }) => told.push(node));
    await eventually('it has looked in the meantime', () => held);
    // It goes on, and puts right what is to be put right.
    await eventually('the old primary executes again', async () => {
      const [row] = await servers.primary.query('SHOW SLAVE STATUS');
      return row?.['Slave_SQL_Running'] === 'Yes' && row['Slave_IO_Running'] === 'Yes';
    });
    expect(await writableNodes(servers)).toEqual([two]);
    expect({ rebuilt, told }).toEqual({ rebuilt: [], told: [] });
  } finally {
    ChangeControl.prototype.survey = survey;
  }
});
