/** What the elected process puts right, when its look began before a change and ended after it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChangeControl } from '../../src/failover/change/change-control.js';
import type { Cluster, FailoverHooks } from '../../src/index.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { writableNodes } from '../support/crash-at-step.js';
import { openManager, switchTo } from '../support/rival-managers.js';
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

test('a look for what has to be put right that takes so long that there is another primary', async () => {
  const other = await openManager(servers, open);
  const rebuilt: string[] = [];
  const told: string[] = [];
  const survey = ChangeControl.prototype.survey;
  let held = false;
  ChangeControl.prototype.survey = async function (this: ChangeControl, ...given): ReturnType<typeof survey> {
    const [primary] = given;
    // Only the elected process looks by itself, and asks for a primary when it does.
    if (!held && primary === servers.primary.id && new Error().stack?.includes('RepairShop') === true) {
      held = true;
      await switchTo(servers, other, two);
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
    const elected = await openManager(servers, open, { rebuild }, true);
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
