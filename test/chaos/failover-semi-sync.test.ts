/**
 * Two data nodes and a witness, semi-synchronous replication that waits ten minutes: when one node is dead nobody is left to acknowledge,
 * and writes go on all the same; when it is back commits wait for it again, so that the next failover is proven to lose nothing.
 */
import { describe, expect, test } from 'vitest';
import type { ChangeResult } from '../../src/failover/change/change-control.js';
import type { FailoverPlan } from '../../src/failover/plan/failover-plan.js';
import type { LocalDatabaseNode } from '../../src/testing/index.js';
import { CLIENT_DATABASES } from '../integration/client-databases.js';
import { now } from '../support/app-fleet.js';
import { countsOf, noteMeta } from '../support/chaos-meta.js';
import { World } from '../support/failover-world.js';

const TIMEOUT = { timeout: 600_000 };

describe.each(CLIENT_DATABASES)('$name', ({ options }) => {
  const two = {
    ...options,
    replicas: 1,
    witnesses: 1,
    semiSync: true,
    failover: { blockMs: 0 },
    processes: ['a'],
    writers: 1,
    pauseMs: 200,
    // Whoever kills a node does it between two writes.
    readers: { own: 0 },
  };

  /** Whether commits on `node` wait, and how many replicas are connected that acknowledge. */
  async function waitsOn(world: World, node: LocalDatabaseNode): Promise<readonly [boolean, number]> {
    const [enabled] = await world.ask(node, 'SELECT @@global.rpl_semi_sync_master_enabled AS it');
    const [clients] = await world.ask(node, "SHOW GLOBAL STATUS LIKE 'rpl_semi_sync_master_clients'");
    return [Number(enabled?.['it']) === 1, Number(clients?.['Value'])];
  }

  async function isOwed(world: World, node: LocalDatabaseNode): Promise<boolean> {
    const [row] = await world.ask(node, 'SELECT COUNT(*) AS rows_ FROM ha_meta.semi_sync');
    return Number(row?.['rows_']) > 0;
  }

  async function backAndAcknowledging(
    world: World,
    dead: LocalDatabaseNode,
    primary: LocalDatabaseNode,
  ): Promise<void> {
    await dead.start();
    await world.until('commits wait for the node that is back', async () => {
      const [enabled, clients] = await waitsOn(world, primary);
      return enabled && clients === 1;
    });
    await world.until('that is noted', async () => !(await isOwed(world, primary)));
    const since = now();
    await world.until('writes go on', () => world.acknowledgedAfter(since) > 30);
  }

  test('the primary dies, comes back, and so does the other one', TIMEOUT, async ({ task }) => {
    await using world = await World.open(two);
    noteMeta(task, { servers: world.name });
    const [other] = world.servers.replicas;
    if (other === undefined) throw new Error('there is no replica');
    for (const [dead, next] of [
      [world.first, other],
      [other, world.first],
    ] as const) {
      // Between two writes: one that was on its way would be on the dead node only, which is told as such then.
      const before = world.acknowledgedAfter(0);
      await world.until('a write has ended', () => world.acknowledgedAfter(0) > before);
      const since = now();
      await dead.kill();
      const plan: FailoverPlan = await world.failedOver(since);
      console.log('first acknowledged write after', Math.round(world.fleet.longestGapMs(since)), 'ms');
      expect(plan).toMatchObject({ to: next.id, loss: { known: true, transactions: 0 } });
      expect(plan.warnings).toEqual([
        expect.stringContaining(`Semi-synchronous replication is left off on ${next.id}`),
      ]);
      expect(await waitsOn(world, next)).toEqual([false, 0]);
      expect(await isOwed(world, next)).toBe(true);
      await backAndAcknowledging(world, dead, next);
    }
    // The statements of both nodes are those of replicas by now.
    noteMeta(task, countsOf(await world.finish({ hadSource: () => false })));
  });

  test('a switchover keeps it on where the old primary acknowledges', TIMEOUT, async ({ task }) => {
    await using world = await World.open(two);
    noteMeta(task, { servers: world.name });
    const [other] = world.servers.replicas;
    if (other === undefined) throw new Error('there is no replica');
    const since = now();
    expect(await world.leader().ask<ChangeResult>('switchover')).toMatchObject({ ok: true });
    await world.until('the other one takes writes', () => world.acknowledgedAfter(since + 1) > 30);
    await world.until('commits wait there', async () => {
      const [enabled, clients] = await waitsOn(world, other);
      return enabled && clients === 1;
    });
    noteMeta(task, countsOf(await world.finish()));
  });
});
