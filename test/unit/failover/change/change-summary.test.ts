/** The note on how a change has ended can be read again, whatever servers have said in it. */
import { expect, test } from 'vitest';
import { summaryOf } from '../../../../src/failover/change/change-summary.js';
import { DETAILS_LIMIT, plainText, text } from '../../../../src/failover/meta/meta-text.js';
import { tlsNotedIn } from '../../../../src/failover/meta/noted-tls.js';
import { type FailoverPlan, NO_LOSS } from '../../../../src/failover/plan/failover-plan.js';
import { frozenIn } from '../../../../src/failover/plan/frozen-replicas.js';

const frozen = { replicas: { db2: { received: '0-1-100', acknowledges: true } }, commitWaits: null };
const plan = (kind: FailoverPlan['kind'], why = ''): FailoverPlan =>
  ({ kind, from: 'db1', to: 'db2', epoch: 3, loss: NO_LOSS, excluded: [{ node: 'db3', why }] }) as never;
/** As it is read from the table. */
const kept = (summary: string, literal = text): string =>
  literal(summary, DETAILS_LIMIT).slice(1, -1).replaceAll("''", "'");

test.each([
  ['quotes', `it stopped with "Duplicate entry 'a\\b'" at\n line 2`],
  ['another alphabet', 'закрыто 閉'],
  ['a very long text', `0-1-1,${'x'.repeat(30_000)}`],
])('%s', (_, why) => {
  const summary = summaryOf(plan('failover', why), false, JSON.stringify(frozen));
  for (const literal of [text, plainText]) {
    const details = kept(summary, literal);
    expect(JSON.parse(details)).toMatchObject({ kind: 'failover', to: 'db2', excluded: [{ node: 'db3' }] });
    expect(frozenIn(details)).toEqual(frozen);
    expect(tlsNotedIn(details)).toBe(false);
  }
});

test('a switchover, which loses nothing, has nothing of it, nor has one that has found nothing', () => {
  for (const [kind, found] of [
    ['switchover', JSON.stringify(frozen)],
    ['failover', undefined],
  ] as const)
    expect(frozenIn(kept(summaryOf(plan(kind), undefined, found)))).toBeUndefined();
});
