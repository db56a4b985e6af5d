/** The process that made a change dies before it has told of it: another one calls the hooks, and knows of the failover. */
import { afterEach, expect, test } from 'vitest';
import type { FailoverPlan } from '../../src/failover/plan/failover-plan.js';
import { now } from '../support/app-fleet.js';
import { countsOf, noteMeta } from '../support/chaos-meta.js';
import { World } from '../support/failover-world.js';

let world: World | undefined;
afterEach(async () => {
  await world?.[Symbol.asyncDispose]();
});

test('killed when writes flow again', { timeout: 600_000 }, async ({ task }) => {
  const hooks = { afterPromote: 'allow', afterFailover: 'allow' };
  world = await World.open({ hooks });
  const all = world;
  noteMeta(task, { servers: all.name });
  const toldOf = (opId: string, hook: string): boolean =>
    all.event('hook', 0, ({ detail }) => detail['hook'] === hook && detail['opId'] === opId) !== undefined;
  const planOf = (name: string): FailoverPlan => {
    const started = all.fleet.events.find(({ app, event }) => app === name && event === 'change-started');
    if (started === undefined) throw new Error(`${name} has begun nothing`);
    return started.detail as unknown as FailoverPlan;
  };
  const killAt = { step: 'release', phase: 'finished' } as const;

  const switching = await all.app('switching', 0, { automatic: false }, { killAt, hooks });
  await switching.ask('switchover').catch(() => undefined);
  await switching.exited;
  const switched = planOf('switching');
  const begun = all.fleet.events.filter(({ event }) => event === 'hook');
  expect(begun).toEqual([]);
  for (const hook of ['afterPromote', 'afterFailover'])
    await all.until(`${hook} is called for the switchover`, () => toldOf(switched.opId, hook));
  const told = all.event('hook', 0, ({ detail }) => detail['hook'] === 'afterPromote');
  expect(told?.detail).toMatchObject({ from: switched.from, to: switched.to, epoch: switched.epoch });

  const failing = await all.app('failing', 0, { automatic: false }, { killAt, hooks });
  await all.node(switched.to).kill();
  while (failing.alive && planMade() === undefined)
    await failing.ask('failover', { force: true, acceptLoss: true }).catch(() => undefined);
  await failing.exited;
  const failed = planOf('failing');
  await all.until('writes go on', () => all.acknowledgedAfter(all.fleet.events.at(-1)?.at ?? 0) > 5);
  await all.node(switched.to).start();
  for (const hook of ['afterPromote', 'afterFailover'])
    await all.until(`${hook} is called for the failover`, () => toldOf(failed.opId, hook));

  const since = all.fleet.events.at(-1)?.at ?? 0;
  await all.node(failed.to).kill();
  const blocked = await all.until('a second failover is blocked', () => all.event('failover-blocked', since));
  expect(blocked.detail['why']).toContain(`The failover ${failed.opId} from ${failed.from} to ${failed.to}`);
  await all.node(failed.to).start();
  const back = now();
  await all.until('writes go on', () => all.acknowledgedAfter(back) > 5);
  noteMeta(task, countsOf(await all.finish({ mayLose: true })));

  function planMade(): unknown {
    return all.event('change-done', 0, ({ detail }) => (detail['plan'] as FailoverPlan).kind === 'failover');
  }
});
