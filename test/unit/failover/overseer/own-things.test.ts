/** When what could not be done for the events of a node is tried again. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { OwnThings } from '../../../../src/failover/overseer/own-things.js';
import type { PlanContext } from '../../../../src/failover/plan/plan-context.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUpEvent } from '../made-up-event.js';
import { madeUp } from '../made-up-survey.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

const nightly = madeUpEvent('nightly');
/** Both execute it. */
const wrong: PlanContext = madeUpContext([
  madeUp('db1', { events: [nightly] }),
  madeUp('db2', { events: [nightly], source: { host: 'db1', port: 3306 } }),
]);
const errors: Readonly<Record<string, Error>> = {
  lock: Object.assign(new Error('Lock wait timeout exceeded'), { errno: 1205, code: 'ER_LOCK_WAIT_TIMEOUT' }),
  lost: Object.assign(new Error('Connection lost'), { code: 'PROTOCOL_CONNECTION_LOST', fatal: true }),
  refused: Object.assign(new Error('Access denied; you need SET USER'), { errno: 1227 }),
};

/** Looks once a second; the seconds at which it tried. `failsWith`: the errors of the steps of each attempt, or of the plan itself. */
async function attempts(
  seconds: number,
  failsWith: readonly string[],
  isPlanLost = false,
): Promise<readonly number[]> {
  const tried: number[] = [];
  const control = {
    voter: (id: string) => ({ id }),
    make: async (plan: unknown, { onLeftOut }: { onLeftOut?: (error: Error) => void }) => {
      tried.push(Math.round(performance.now() / 1_000));
      const own = failsWith.map((name) => errors[name] ?? new Error(name));
      if (isPlanLost) return { ok: false, plan, at: 'lock-change', error: own[0], clusterState: 'unchanged' };
      for (const error of own) onLeftOut?.(error);
      return { ok: true, plan, left: [] };
    },
  };
  const things = new OwnThings({ control, meta: {}, look: async () => wrong } as never);
  for (let second = 0; second < seconds; second += 1) {
    await things.putEvents(wrong, 'db1');
    vi.advanceTimersByTime(1_000);
  }
  return tried;
}

test.each([
  ['a lock was not to be had', ['lock'], false],
  ['a connection was lost', ['lost'], false],
  ['the node was not to be locked', ['lost'], true],
  ['only one of two was refused', ['refused', 'lock'], false],
  ['nothing failed, and all is as it was', [], false],
])('soon, and then less and less often, when %s', async (_, failsWith, isPlanLost) => {
  const tried = await attempts(600, failsWith, isPlanLost);
  expect(tried[1]).toBeLessThanOrEqual(5);
  const pauses = tried.slice(1).map((at, index) => at - (tried[index] ?? 0));
  // Each pause is drawn from the upper half of twice the one before.
  expect(pauses[4]).toBeGreaterThanOrEqual(32);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(121);
});

test('after ten minutes, when the account may not', async () => {
  expect(await attempts(1_190, ['refused'])).toEqual([0, 600]);
});
