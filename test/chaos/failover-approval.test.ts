/** Mode `approve` on real servers: what becomes of each answer of the hook, and of one that comes when the primary is back. */
import { describe, expect } from 'vitest';
import { now } from '../support/app-fleet.js';
import { writableNodes } from '../support/crash-at-step.js';
import type { World } from '../support/failover-world.js';
import { scenario } from '../support/scenarios.js';

/** When the hook was asked, and with what. */
function asked(world: World): readonly Readonly<Record<string, unknown>>[] {
  return world.fleet.events
    .filter(({ event, detail }) => event === 'hook' && detail['hook'] === 'approve')
    .map(({ at, detail }) => ({ at, ...detail }));
}

describe('mode approve', () => {
  scenario(
    'A1 the hook refuses, throws, answers too late, and agrees',
    {
      failover: { mode: 'approve', hookPolicy: { timeoutMs: { approve: 1_000 } } },
      hooks: { approve: [{ veto: 'not now' }, 'throw', { afterMs: 3_000, answer: 'allow' }, 'allow'] },
    },
    async (world) => {
      const since = now();
      await world.first.kill();
      for (const words of ['Not approved: not now', 'the hook is broken', 'did not answer within 1000 ms']) {
        await world.until(`it is told: ${words}`, () =>
          world.event('failover-blocked', since, ({ detail }) => String(detail['why']).includes(words)),
        );
        expect(world.event('change-started', since)).toBeUndefined();
        expect(await writableNodes(world.servers)).toEqual([]);
      }
      const plan = await world.failedOver(since);
      expect(asked(world)).toHaveLength(4);
      for (const each of asked(world))
        expect(each).toMatchObject({ kind: 'failover', from: world.first.id, to: plan.to, attempt: 1 });
      expect(Number(asked(world)[3]?.['steps'])).toBe(plan.steps.length);
      const { lost } = await world.finish({ mayLose: true });
      return { lost: lost.length, outageMs: Math.round(world.fleet.longestGapMs(since)) };
    },
  );

  scenario(
    'A2 the hook agrees when the primary is back',
    { failover: { mode: 'approve' }, hooks: { approve: { afterMs: 10_000, answer: 'allow' } } },
    async (world) => {
      const since = now();
      await world.first.kill();
      await world.until('it is asked', () => asked(world).length > 0);
      await world.first.start();
      const back = now();
      await world.until('writes go on', () => world.acknowledgedAfter(back) > 10);
      await world.until('it is not done', () => world.event('failover-blocked', back) !== undefined);
      await world.noFailover(since, 3_000);
      expect(await writableNodes(world.servers)).toEqual([world.first]);
      await world.finish();
    },
  );

  scenario(
    'A3 a switchover asks nobody',
    { failover: { mode: 'approve' }, hooks: { approve: { veto: 'never' } } },
    async (world) => {
      expect(await world.leader().ask('switchover')).toMatchObject({ ok: true });
      expect(asked(world)).toEqual([]);
      const at = now();
      await world.until('writes go on', () => world.acknowledgedAfter(at) > 10);
      await world.finish();
    },
  );
});
