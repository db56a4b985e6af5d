/** Machines that were copied, or suspended. */
import { copyFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import type { LocalDatabaseNode } from '../../src/testing/index.js';
import { now } from '../support/app-fleet.js';
import { writableNodes } from '../support/crash-at-step.js';
import { scenario } from '../support/scenarios.js';

async function fileOf(node: LocalDatabaseNode, name: string): Promise<string> {
  const [row] = await node.query<{ folder: string }>('SELECT @@datadir AS folder');
  return join(row?.folder ?? '', name);
}

describe('machines', () => {
  scenario('43 two servers have one server_id', {}, async (world) => {
    const [twin, other] = world.servers.replicas;
    if (twin === undefined || other === undefined) throw new Error('two replicas are needed');
    await twin.query(`SET GLOBAL server_id=${other.serverId}`);
    const { checks } = await world.leader().ask<{ checks: { name: string; result: string }[] }>('preflight');
    expect(checks).toContainEqual(expect.objectContaining({ name: 'different-server-ids', result: 'fail' }));
    await twin.query(`SET GLOBAL server_id=${twin.serverId}`);
    await world.finish();
  });

  // MariaDB has no such thing.
  scenario('43u two servers have one server_uuid', { flavor: 'mysql' }, async (world) => {
    const [twin, other] = world.servers.replicas;
    if (twin === undefined || other === undefined) throw new Error('two replicas are needed');
    const [own, copied] = [await fileOf(twin, 'auto.cnf'), await fileOf(other, 'auto.cnf')];
    await twin.stop();
    renameSync(own, `${own}.own`);
    copyFileSync(copied, own);
    await twin.start();
    const { checks } = await world.leader().ask<{ checks: { name: string; result: string }[] }>('preflight');
    expect(checks).toContainEqual(expect.objectContaining({ name: 'different-uuids', result: 'fail' }));
    await twin.stop();
    renameSync(`${own}.own`, own);
    await twin.start();
    const at = now();
    await world.until('writes go on', () => world.acknowledgedAfter(at) > 10);
    await world.finish();
  });

  scenario(
    '45s the machine of the elected process and that of the primary are suspended, and others act',
    {},
    async (world) => {
      const suspended = world.leader();
      await suspended.ask('hideStops');
      suspended.signal('SIGSTOP');
      const since = now();
      await world.first.pause();
      const plan = await world.failedOver(since);
      // By its monotonic clock the process had its lease a moment ago, and the primary takes writes still.
      await world.first.resume();
      suspended.signal('SIGCONT');
      const resumed = now();
      await world.until(
        'it knows that its lease is over',
        () =>
          world.event('lease-lost', since, ({ app }) => app === suspended.name) ??
          world.event('lease-gained', resumed, ({ app }) => app === suspended.name),
      );
      await world.until(
        'the old primary refuses writes',
        async () => (await writableNodes(world.servers)).length === 1,
      );
      await world.until('writes go on', () => world.acknowledgedAfter(resumed) > 20);
      const { lost, unknown } = await world.finish({ mayLose: true });
      return { to: plan.to, lost: lost.length, unknown };
    },
  );
});
