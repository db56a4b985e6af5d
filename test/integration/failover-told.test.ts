/** What is told of a failover that is done: how long writes waited, and how long nobody could write. */
import { afterEach, expect, test } from 'vitest';
import { World } from '../support/failover-world.js';

let world: World | undefined;
afterEach(async () => {
  await world?.[Symbol.asyncDispose]();
});

test('what a change of its own tells: how long nobody could write, and how long writes waited for it', {
  timeout: 600_000,
}, async () => {
  world = await World.open({ hooks: { afterPromote: 'allow' } });
  const all = world;
  const since = all.fleet.events.at(-1)?.at ?? 0;
  await all.first.kill();
  await all.failedOver(since);
  const done = await all.until('it is done', () => all.event('change-done', since));
  const told = await all.until('the hook is called', () => all.event('hook', since));
  const gapMs = Number(done.detail['writeGapMs']);
  const of = (is: (id: string) => boolean, phase: string): number[] =>
    all.fleet.events
      .filter(({ app, event, at, detail }) => {
        if (app !== done.app || event !== 'step' || at < since) return false;
        return detail['phase'] === phase && is(String(detail['id']));
      })
      .map(({ at }) => at);
  const began = Math.max(...of((id) => id === 'lock-change', 'started'));
  const voted = Math.max(...of((id) => id.startsWith('follow-'), 'finished'));
  const receives = Math.min(...of((id) => id.startsWith('start-replication@'), 'started'));
  console.log({ gapMs, voted: voted - began, receives: receives - began, outageMs: told.detail['outageMs'] });
  // Until the vote that made the majority: the one replica that is left is told to follow, and receives after that.
  expect(gapMs).toBeGreaterThan(voted - began - 2);
  expect(gapMs).toBeLessThan(receives - began + 2);
  // Nobody has taken it for dead in less than the three seconds of the detector.
  expect(Number(told.detail['outageMs'])).toBeGreaterThan(gapMs + 2_000);
  await all.finish({ mayLose: true });
});
