/** A witness that does not answer gives no vote: plans do not count on it, and say so. */
import { describe, expect, test } from 'vitest';
import type { PlanContext } from '../../../../src/failover/plan/plan-context.js';
import { planFailover } from '../../../../src/failover/plan/plan-failover.js';
import { planSwitchover } from '../../../../src/failover/plan/plan-switchover.js';
import { silentWitnesses } from '../../../../src/failover/survey/silent-witnesses.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };
const replicas = ['db2', 'db3'].map((name) => madeUp(name, { source }));
const [db1, db2 = db1] = [madeUp('db1'), ...replicas];
const silence = (...names: readonly string[]): Partial<PlanContext> => ({
  silentWitnesses: new Map(names.map((name) => [name, 'no answer'])),
});
const rules = (voters: number): Partial<PlanContext> => ({
  rules: { voters, leaseMs: 5_000, handoverMs: 200 },
});

describe('with two data nodes', () => {
  const context = (...silent: readonly string[]): PlanContext =>
    madeUpContext([db1, db2], { witnesses: ['w'], ...rules(3), ...silence(...silent) });
  test('a switchover is planned, and says what is left', () => {
    const plan = planSwitchover(context('w'), 'db1', 'db2');
    expect(plan.warnings).toEqual([
      'w, which only votes, does not answer (no answer); nobody counts on its vote; 2 of 3 voters answer, and 2 are needed to write, and for a change: start it',
    ]);
    // It may be back by then.
    expect(plan.steps.map(({ id }) => id)).toContain('vote@w');
    expect(planSwitchover(context(), 'db1', 'db2').warnings).toEqual([]);
  });
  test('a failover from a primary that answers is refused: nobody could write', () => {
    const cause = {
      from: 'db1',
      reason: 'unreachable-primary' as const,
      lastSeen: undefined,
      silent: new Map(),
    };
    expect(planFailover(context(), cause).to).toBe('db2');
    expect(() => planFailover(context('w'), cause)).toThrow(/Only 1 of 3 voters could vote for db2/);
  });
});

test('a switchover waits for a third node where the votes of two and of the witnesses that answer are no majority', () => {
  const waits = (...silent: readonly string[]): boolean =>
    planSwitchover(
      madeUpContext([db1, ...replicas], { witnesses: ['v', 'w'], ...rules(5), ...silence(...silent) }),
      'db1',
      'db2',
    ).steps.some(({ node, phase }) => node === 'db3' && phase === 'catch-up-candidate');
  expect([waits(), waits('w'), waits('v', 'w')]).toEqual([false, false, true]);
});

test('only a witness that has not answered lately is asked', async () => {
  const asked: string[] = [];
  const voter = (id: string, kind: 'data' | 'witness', fails = false) => ({
    id,
    kind,
    act: {
      connect: async () => {
        asked.push(id);
        if (fails) throw new Error('no route');
        return { destroy: () => undefined };
      },
    },
  });
  const voters = [
    voter('db1', 'data'),
    voter('u', 'witness'),
    voter('v', 'witness'),
    voter('w', 'witness', true),
  ];
  const silent = await silentWitnesses(voters as never, (id) => id === 'u');
  expect([asked, [...silent]]).toEqual([['v', 'w'], [['w', 'no route']]]);
});
