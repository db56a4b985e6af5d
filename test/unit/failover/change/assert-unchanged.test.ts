import { expect, test } from 'vitest';
import { assertUnchanged } from '../../../../src/failover/change/assert-unchanged.js';
import { type FailoverPlan, NO_LOSS, type PlanStep } from '../../../../src/failover/plan/failover-plan.js';

function step(node: string | null, id: string, sql?: string): PlanStep {
  return { id, phase: 'p', action: 'statement', node, sql, why: '' };
}
const STEPS = [
  step(null, 'lock-change'),
  step('db1', 'begin', "INSERT 'op'"),
  step('db2', 'promote', 'A'),
  step('db3', 'follow', 'B'),
];
function plan(more: Partial<FailoverPlan> = {}): FailoverPlan {
  const { opId = 'op' } = more;
  const empty = { evidence: [], excluded: [], warnings: [], reason: null, loss: NO_LOSS };
  return {
    ...empty,
    kind: 'switchover',
    cluster: 'c',
    epoch: 5,
    from: 'db1',
    to: 'db2',
    steps: STEPS,
    ...more,
    opId,
  };
}
const without = (node: string): readonly PlanStep[] => STEPS.filter((each) => each.node !== node);
const loss = (transactions: number, known = true): FailoverPlan['loss'] => ({
  ...NO_LOSS,
  known,
  transactions,
  why: 'it was seen to have more',
});

test.each<[string, Partial<FailoverPlan>]>([
  [
    'the same under another name',
    {
      opId: 'other',
      steps: [...STEPS.slice(0, 1), step('db1', 'begin', "INSERT 'other'"), ...STEPS.slice(2)],
    },
  ],
  ['a third node that does not answer now', { steps: without('db3') }],
  ['a node that answers now', { steps: [...STEPS, step('db4', 'follow', 'B')] }],
  ['other steps about all', { steps: STEPS.slice(1) }],
])('%s is the same', (_, again) => {
  expect(() => assertUnchanged(plan(), plan(again))).not.toThrow();
});

test.each<[string, Partial<FailoverPlan>, RegExp]>([
  ['another primary', { from: 'db9' }, /from db9 to db2/],
  ['no primary', { from: null }, /from nobody/],
  ['another candidate', { to: 'db3' }, /db1 to db3/],
  ['a later epoch', { epoch: 6 }, /epoch 6 now/],
  ['other statements', { steps: [...without('db3'), step('db3', 'follow', 'C')] }, /on db3/],
  ['other steps', { steps: [...without('db3'), step('db3', 'refuse', 'B')] }, /on db3/],
  ['nothing to do on the primary', { steps: without('db1') }, /on db1/],
  ['nothing to do on the candidate', { steps: without('db2') }, /on db2/],
  ['a greater loss', { loss: loss(3) }, /more than was told: it was seen/],
  ['a loss that is not known any more', { loss: loss(0, false) }, /more than was told/],
])('%s is not', (_, again, why) => {
  expect(() => assertUnchanged(plan(), plan(again))).toThrow(why);
});

test('a loss that is smaller is the same', () => {
  expect(() => assertUnchanged(plan({ loss: loss(3, false) }), plan({ loss: loss(2) }))).not.toThrow();
});

test('a scheduled event that is over by now is no difference, one with another definer is', () => {
  const event = (definer: string): PlanStep =>
    step('db2', 'event-0@db2', `ALTER DEFINER=\`${definer}\`@\`%\` EVENT \`shop\`.\`nightly\` ENABLE`);
  const before = plan({ steps: [...STEPS, event('shop')] });
  expect(() => assertUnchanged(before, plan())).not.toThrow();
  expect(() => assertUnchanged(before, plan({ steps: [...STEPS, event('shop')] }))).not.toThrow();
  expect(() => assertUnchanged(before, plan({ steps: [...STEPS, event('other')] }))).toThrow(
    /`nightly` ENABLE has another definer now/,
  );
});
