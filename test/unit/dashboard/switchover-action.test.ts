/** One switchover of a page at a time. */
import { expect, test } from 'vitest';
import type { AnyCluster } from '../../../src/cluster-readiness.js';
import { SwitchoverAction } from '../../../src/dashboard/switchover-action.js';
import type { FailoverPlan } from '../../../src/failover/plan/failover-plan.js';

test('a second one that is confirmed while the first is under way is refused, and says so', async () => {
  const plan = { kind: 'switchover', from: 'a', to: 'b', steps: [] } as unknown as FailoverPlan;
  const ends: (() => void)[] = [];
  const failover = {
    plan: () => Promise.resolve(plan),
    switchover: () => new Promise((done) => ends.push(() => done({ ok: true, writeGapMs: 7 }))),
  };
  const action = new SwitchoverAction({ failover } as unknown as AnyCluster);
  action.start(plan);
  await expect.poll(() => ends.length).toBe(1);
  expect(() => action.start(plan)).toThrow(expect.objectContaining({ code: 'ERR_CHANGE_REFUSED' }));
  expect(ends).toHaveLength(1);
  ends[0]?.();
  await expect.poll(() => action.last?.state).toBe('done');
  action.start(plan);
  await expect.poll(() => ends.length).toBe(2);
});

test('what became of one is told for a minute after its end: a page that is opened later shows no old alarm', async () => {
  const plan = { kind: 'switchover', from: 'a', to: 'b', steps: [] } as unknown as FailoverPlan;
  let now = 1_000;
  let end = (): void => undefined;
  const failover = {
    plan: () => Promise.resolve(plan),
    switchover: () =>
      new Promise((done) => {
        end = () => done({ ok: false, at: 'drain@b', error: new Error('late'), clusterState: 'unchanged' });
      }),
  };
  const action = new SwitchoverAction({ failover } as unknown as AnyCluster, { now: () => now } as never);
  action.start(plan);
  now += 600_000;
  expect(action.last?.state).toBe('running');
  await Promise.resolve();
  end();
  await expect.poll(() => action.last?.state).toBe('failed');
  now += 60_000;
  expect(action.last?.text).toContain('given up at drain@b');
  now += 1;
  expect(action.last).toBeNull();
});
