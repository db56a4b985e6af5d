/** Changes that were planned before another one was made, and are begun after it: nothing of them is carried out. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChangeControl, type ChangeResult } from '../../src/failover/change/change-control.js';
import type { Cluster } from '../../src/index.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { writableNodes } from '../support/crash-at-step.js';
import { openManager, switchTo } from '../support/rival-managers.js';
import { eventually } from './eventually.js';

let servers: LocalCluster;
let one: LocalDatabaseNode;
let two: LocalDatabaseNode;
const open: Cluster[] = [];

beforeAll(async () => {
  servers = await startLocalCluster({ php: false, memcached: 0 });
  [one, two] = servers.replicas as [LocalDatabaseNode, LocalDatabaseNode];
});
afterAll(async () => {
  await Promise.all(open.splice(0).map((cluster) => cluster.close()));
  await servers?.close();
});

async function positions(): Promise<unknown[]> {
  const all = servers.databases.map((node) => node.query('SELECT @@gtid_binlog_state AS state'));
  return (await Promise.all(all)).flat();
}

test('a switchover whose hook took so long that another one was made meanwhile', async () => {
  const other = await openManager(servers, open);
  let before: unknown[] = [];
  const late = await openManager(servers, open, {
    beforeSwitchover: async (): Promise<'allow'> => {
      await switchTo(servers, other, two);
      await other.history();
      await eventually('the replicas have all of it', async () => {
        const last = servers.databases.map((node) => node.query('SELECT @@gtid_binlog_pos AS position'));
        return new Set((await Promise.all(last)).map((rows) => JSON.stringify(rows))).size === 1;
      });
      before = await positions();
      return 'allow';
    },
  });
  const result = await late.switchover({ to: one.id }).catch((error: unknown) => error);
  expect(result).toMatchObject({
    ok: false,
    clusterState: 'unchanged',
    error: { code: 'ERR_CHANGE_REFUSED' },
  });
  expect((result as { error: Error }).error.message).toContain(two.id);
  expect(await writableNodes(servers)).toEqual([two]);
  // Nothing was written on the old primary, which is a replica now.
  expect(await positions()).toEqual(before);
});

test('a repair of a replica that has become the primary meanwhile', async () => {
  const other = await openManager(servers, open);
  const late = await openManager(servers, open);
  const make = ChangeControl.prototype.make;
  let held = false;
  ChangeControl.prototype.make = async function (this: ChangeControl, ...given): Promise<ChangeResult> {
    const [plan] = given;
    if (plan.kind === 'rejoin' && !held) {
      held = true;
      await one.query('SET GLOBAL read_only=1');
      await switchTo(servers, other, one);
    }
    return await make.apply(this, given);
  };
  try {
    // What it would do is make the replica refuse writes.
    await one.query('SET GLOBAL read_only=0');
    const result = await late.rejoin(one.id).catch((error: unknown) => error);
    expect(held).toBe(true);
    expect(result).toMatchObject({
      ok: false,
      clusterState: 'unchanged',
      error: { code: 'ERR_CHANGE_REFUSED' },
    });
    expect(await writableNodes(servers)).toEqual([one]);
  } finally {
    ChangeControl.prototype.make = make;
  }
});
