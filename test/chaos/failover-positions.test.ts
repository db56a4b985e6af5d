/** Replicas that follow by file and position, on real servers: a switchover loses nothing, and a failover points nobody at the wrong place. */
import { describe, expect } from 'vitest';
import type { ChangeResult } from '../../src/failover/change/change-control.js';
import type { LocalCluster, LocalDatabaseNode } from '../../src/testing/index.js';
import { now } from '../support/app-fleet.js';
import { byFileAndPosition } from '../support/by-file-and-position.js';
import type { WorldOptions } from '../support/failover-world.js';
import { scenario } from '../support/scenarios.js';

describe('replicas that follow by file and position', () => {
  const databases: readonly WorldOptions[] = [{ flavor: 'mariadb' }, { flavor: 'mysql' }];
  for (const options of databases) {
    const world: WorldOptions = { ...options, prepare: byFileAndPosition };
    const { flavor } = options;
    scenario(`FS a switchover by file and position, ${flavor}`, world, async (world) => {
      const since = now();
      const result = await world.leader().ask<ChangeResult>('switchover');
      expect(result).toMatchObject({ ok: true, left: [] });
      await world.until('writes go on', () => world.acknowledgedAfter(since + 1_000) > 20);
      const { acknowledged } = await world.finish();
      for (const node of world.servers.databases)
        await world.until(
          `${node.name} has every row`,
          async () => (await world.fleet.verdict(node)).lost.length === 0,
        );
      return { acknowledged };
    });

    scenario(`FF a failover by file and position, ${flavor}`, world, async (world) => {
      const since = now();
      await world.first.kill();
      const plan = await world.failedOver(since);
      const { lost } = await world.finish({ mayLose: true });
      // Who stood where the new primary stood follows it and has all it has; who did not is left, and not made wrong.
      const chosen = await world.fleet.verdict(world.node(plan.to));
      for (const node of world.servers.replicas.filter(({ id }) => id !== plan.to)) {
        const source = await sourcePortOf(node, world.servers.flavor);
        if (source !== world.node(plan.to).port) continue;
        await world.until(
          `${node.name} has every row`,
          async () => (await world.fleet.verdict(node)).lost.length === chosen.lost.length,
        );
      }
      return { lost: lost.length, told: plan.loss };
    });
  }
});

async function sourcePortOf(node: LocalDatabaseNode, flavor: LocalCluster['flavor']): Promise<number> {
  const [status] = await node.query(flavor === 'mysql' ? 'SHOW REPLICA STATUS' : 'SHOW SLAVE STATUS');
  return Number(status?.['Source_Port'] ?? status?.['Master_Port'] ?? 0);
}
