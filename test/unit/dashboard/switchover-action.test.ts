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
