/** Replicas that follow by file and position, on real servers: a switchover loses nothing, and a failover points nobody at the wrong place. */
import { describe, expect } from 'vitest';
import type { ChangeResult } from '../../src/failover/change/change-control.js';
import type { FailoverPlan } from '../../src/failover/plan/failover-plan.js';
import type { LocalCluster, LocalDatabaseNode } from '../../src/testing/index.js';
import { type AppEvent, now } from '../support/app-fleet.js';
import { byFileAndPosition } from '../support/by-file-and-position.js';
import { writableNodes } from '../support/crash-at-step.js';
import type { World, WorldOptions } from '../support/failover-world.js';
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
      // Who stands elsewhere cannot vote; where that is so, nobody is made the primary for whom no majority could.
      const isFailover = ({ detail }: AppEvent) => (detail['plan'] as FailoverPlan).kind === 'failover';
      const isPlace = ({ detail }: AppEvent) => /another place/.test(String(detail['why']));
      const end = await world.until(
        'it fails over, or says why not',
        () =>
          world.event('change-done', since, isFailover) ?? world.event('failover-blocked', since, isPlace),
      );
      if (end.event === 'failover-blocked') {
        expect(await writableNodes(world.servers)).toEqual([]);
        await world.first.start();
        const back = now();
        await world.until('writes go on', () => world.acknowledgedAfter(back) > 20);
        await world.finish({ mayLose: true });
        return { refused: true };
      }
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

    scenario(
      `FP the primary has no such logs any more, by file and position, ${flavor}`,
      world,
      async (world) => {
        const [away] = world.servers.replicas;
        if (away === undefined) throw new Error('a replica is needed');
        await away.kill();
        const since = now();
        await world.until('writes go on', () => world.acknowledgedAfter(since) > 20);
        await world.first.query('FLUSH BINARY LOGS');
        const logs = await world.first.query<{ Log_name: string }>('SHOW BINARY LOGS');
        await world.until('the logs are gone', async () => {
          await world.first.query('PURGE BINARY LOGS TO ?', [logs.at(-1)?.Log_name]);
          return (await world.first.query('SHOW BINARY LOGS')).length < logs.length;
        });
        await away.start();
        await world.until('it is told', () => world.event('rebuild-needed', since) !== undefined);
        expect(world.event('rebuild-needed', since)?.detail).toMatchObject({ node: away.id, why: 'purged' });
        await world.finish();
      },
    );
  }
});

describe('two nodes of MySQL without GTIDs, and a witness', () => {
  const options: WorldOptions = { flavor: 'mysql', replicas: 1, witnesses: 1, prepare: byFileAndPosition };
  scenario('FK the old primary logs in where nobody has before it', options, async (world) => {
    await withoutGtids(world);
    for (const round of [1, 2]) {
      const since = now();
      expect(await world.leader().ask<ChangeResult>('switchover')).toMatchObject({ ok: true, left: [] });
      await world.until('writes go on', () => world.acknowledgedAfter(since) > 20);
      const [primary] = await writableNodes(world.servers);
      const old = world.servers.databases.find((node) => node !== primary);
      if (old === undefined) throw new Error('two nodes take writes');
      await world.until(`switchover ${round}: the old primary receives`, async () => {
        const [status] = await old.query('SHOW REPLICA STATUS');
        if (Number(status?.['Last_IO_Errno']) === 2061) throw new Error(String(status?.['Last_IO_Error']));
        return status?.['Replica_IO_Running'] === 'Yes';
      });
    }
    return await world.finish();
  });
});

/** Takes their GTIDs from the servers, one step after another, as the server wants it. */
async function withoutGtids(world: World): Promise<void> {
  const { servers } = world;
  const [replica] = servers.replicas;
  for (const mode of ['ON_PERMISSIVE', 'OFF_PERMISSIVE'])
    for (const node of servers.databases) await node.query(`SET GLOBAL gtid_mode=${mode}`);
  const [last] = await servers.primary.query('SELECT @@GLOBAL.gtid_executed AS had');
  await world.until('no transaction with a GTID is left', async () => {
    const [row] = (await replica?.query('SELECT GTID_SUBSET(?, @@GLOBAL.gtid_executed) AS done', [
      last?.['had'],
    ])) ?? [undefined];
    return Number(row?.['done']) === 1;
  });
  for (const node of servers.databases) await node.query('SET GLOBAL gtid_mode=OFF');
}

async function sourcePortOf(node: LocalDatabaseNode, flavor: LocalCluster['flavor']): Promise<number> {
  const [status] = await node.query(flavor === 'mysql' ? 'SHOW REPLICA STATUS' : 'SHOW SLAVE STATUS');
  return Number(status?.['Source_Port'] ?? status?.['Master_Port'] ?? 0);
}
