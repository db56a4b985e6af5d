/** The checker of told losses can fail: a loss that no plan told of is found. */
import { expect, test } from 'vitest';
import type { ExpectedLoss } from '../../../src/failover/plan/failover-plan.js';
import type { AppEvent, Operation } from '../../support/app-fleet.js';
import { toldLosses, untoldLosses } from '../../support/told-loss.js';

const loss: ExpectedLoss = {
  known: false,
  transactions: 1,
  gtids: '',
  seenAt: 1_000,
  unseenMs: 500,
  why: '',
};
const plan = (said: Partial<ExpectedLoss> = {}) => ({
  opId: 'x',
  kind: 'failover',
  loss: { ...loss, ...said },
});
const failover = (said: Partial<ExpectedLoss> = {}): readonly AppEvent[] => [
  { app: 'a', event: 'change-started', at: 5_000, detail: plan(said) },
  { app: 'a', event: 'step', at: 5_100, detail: { id: 'lock-change', phase: 'finished' } },
  { app: 'a', event: 'change-done', at: 9_000, detail: { plan: plan(said) } },
];
const write = (id: string, began: number, ended: number): Operation => ({
  id,
  outcome: 'acknowledged',
  began,
  ended,
  why: '',
  rows: 1,
});

test.each<[string, readonly Operation[], readonly AppEvent[], number]>([
  ['one that was seen and counted', [write('1', 900, 950)], failover(), 0],
  [
    'two that were seen, of which one was counted',
    [write('1', 900, 950), write('2', 901, 951)],
    failover(),
    1,
  ],
  ['those of the time that nobody saw', [write('1', 1_100, 1_101), write('2', 1_550, 1_590)], failover(), 0],
  ['two after that time', [write('1', 1_700, 1_800), write('2', 1_700, 1_800)], failover(), 1],
  [
    'one of that time, of a plan that is certain',
    [write('1', 1_100, 1_101)],
    failover({ known: true, transactions: 0 }),
    1,
  ],
  [
    'anything, where the plan says that it does not know',
    [write('1', 1, 2)],
    failover({ transactions: null }),
    0,
  ],
  ['one without a failover', [write('1', 1, 2)], [], 1],
  ['one of a failover that was not made', [write('1', 1_100, 1_101)], failover().slice(0, 2), 1],
])('%s', (_, lost, events, wrong) => {
  expect(untoldLosses(lost, toldLosses(events))).toHaveLength(wrong);
});
