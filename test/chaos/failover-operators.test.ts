/** Operators who get into each other's way, or into that of a failover: one wins, and the others are told why they did not. */
import { describe, expect } from 'vitest';
import type { ChangeResult } from '../../src/failover/change/change-control.js';
import type { FailoverPlan } from '../../src/failover/plan/failover-plan.js';
import { type App, now } from '../support/app-fleet.js';
import { writableNodes } from '../support/crash-at-step.js';
import type { World } from '../support/failover-world.js';
import { scenario } from '../support/scenarios.js';

/** How a switchover ended: with whom, or with which error. */
interface Ended {
  readonly to?: string;
  readonly code?: string;
  readonly message?: string;
  readonly clusterState?: string;
}

async function switchover(app: App, options: { readonly to?: string } = {}): Promise<Ended> {
  try {
    const result = await app.ask<ChangeResult>('switchover', options);
    if (result.ok) return { to: result.plan.to };
    const { code, message } = result.error as Error & { readonly code?: string };
    return { ...(code === undefined ? {} : { code }), message, clusterState: result.clusterState };
  } catch (error) {
    const { code, message } = error as Error & { readonly code?: string };
    return { ...(code === undefined ? {} : { code }), message };
  }
}

async function writesGoOn(world: World): Promise<void> {
  const at = now();
  await world.until('writes go on', () => world.acknowledgedAfter(at) > 10);
}

describe('operators', () => {
  scenario('48 two operators at once', {}, async (world) => {
    const rounds: (readonly Ended[])[] = [];
    // Each may have what the other one lacks; then both are refused, and one of them is asked again.
    while (!rounds.flat().some(({ to }) => to !== undefined) && rounds.length < 5) {
      rounds.push(await Promise.all(world.fleet.apps.map((app) => switchover(app))));
      await writesGoOn(world);
    }
    const ended = rounds.flat();
    const won = ended.filter(({ to }) => to !== undefined);
    const lost = ended.filter(({ to }) => to === undefined);
    expect(won).toHaveLength(1);
    for (const each of lost) {
      expect(each).toMatchObject({
        code: expect.stringMatching(/^ERR_(NO_MAJORITY|CHANGE_REFUSED|NO_PRIMARY)$/),
      });
      expect(['unchanged', 'undone', undefined]).toContain(each.clusterState);
    }
    expect((await writableNodes(world.servers)).map(({ id }) => id)).toEqual([won[0]?.to]);
    await world.finish();
    return { rounds: rounds.length, refused: lost };
  });

  scenario('48b a switchover to a dead node', {}, async (world) => {
    const [dead] = world.servers.replicas;
    await dead?.kill();
    const refused = await switchover(world.leader(), { to: dead?.id ?? '' });
    expect(refused).toMatchObject({
      code: 'ERR_CHANGE_REFUSED',
      message: expect.stringContaining(dead?.id ?? ''),
    });
    expect(await writableNodes(world.servers)).toEqual([world.first]);
    await writesGoOn(world);
    await dead?.start();
    await world.finish();
    return { refused };
  });

  scenario(
    '48c a switchover while a failover is under way',
    { hooks: { beforeFailover: { afterMs: 4_000, answer: 'allow' } } },
    async (world) => {
      const since = now();
      await world.first.kill();
      await world.until('the failover asks its hook', () => world.event('hook', since));
      const refused = await Promise.all(world.fleet.apps.map((app) => switchover(app)));
      for (const each of refused) expect(each).toMatchObject({ code: expect.stringMatching(/^ERR_/) });
      const plan: FailoverPlan = await world.failedOver(since);
      expect((await writableNodes(world.servers)).map(({ id }) => id)).toEqual([plan.to]);
      await world.finish({ mayLose: true });
      return { refused: refused.map(({ code }) => code) };
    },
  );
});
