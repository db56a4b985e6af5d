import { describe, expect, test } from 'vitest';
import { expectedLoss, type LastSeen, lossRefusal } from '../../../../src/failover/plan/expected-loss.js';
import { readTransactions } from '../../../../src/failover/survey/transaction-set.js';

const seen: LastSeen = {
  flavor: 'mariadb',
  gtids: '0-1-100',
  seenAt: 1_700_000_000_000,
  unseenMs: 500,
  isDead: true,
  rate: 200,
  semiSync: false,
};
const reached = (text: string): NonNullable<ReturnType<typeof readTransactions>> =>
  readTransactions('mariadb', text) ?? new Map();

describe('what is expected to be lost', () => {
  test('asynchronous replication proves nothing, even when nothing is known to be missing', () => {
    expect(expectedLoss(seen, reached('0-1-100'))).toMatchObject({
      known: false,
      transactions: 0,
      unseenMs: 500,
    });
  });
  test('what the primary was seen to have and nobody else has is counted', () => {
    expect(expectedLoss(seen, reached('0-1-97'))).toMatchObject({ known: false, transactions: 3 });
  });
  test('semi-synchronous replication proves that nothing is lost', () => {
    expect(expectedLoss({ ...seen, semiSync: true }, reached('0-1-100'))).toMatchObject({
      known: true,
      transactions: 0,
    });
  });
  test('semi-synchronous replication proves nothing when something is missing all the same', () => {
    expect(expectedLoss({ ...seen, semiSync: true }, reached('0-1-90'))).toMatchObject({
      known: false,
      transactions: 10,
    });
  });
  test('a primary that is merely silent may have gone on, and the plan says for how long', () => {
    const silent = { ...seen, isDead: false, unseenMs: 8_200 };
    expect(expectedLoss(silent, reached('0-1-100'))).toMatchObject({
      known: false,
      transactions: 0,
      seenAt: 1_700_000_000_000,
      unseenMs: 8_200,
      why: expect.stringMatching(/silent, and may be cut off and alive.* 8200 ms/),
    });
    expect(expectedLoss(seen, reached('0-1-100')).why).toMatch(/500 ms before its end/);
  });
  test('a primary that was never seen may have had anything', () => {
    expect(expectedLoss(undefined, reached('0-1-1'))).toMatchObject({ known: false, transactions: null });
  });
});

describe('whether that may be lost', () => {
  const loss = (text: string, semiSync = false) => expectedLoss({ ...seen, semiSync }, reached(text));
  test.each([
    ['none is proven', 'none', loss('0-1-100', true), undefined],
    ['none is not proven', 'none', loss('0-1-100'), /not proven/],
    ['some are lost', 'none', loss('0-1-90'), /10 transactions/],
    ['anything may be', 'any', loss('0-1-1'), undefined],
    // 200 a second for half a second are about 100 that nobody saw.
    ['the unseen are counted', { transactions: 50 }, loss('0-1-100'), /about 100/],
    ['few enough', { transactions: 200 }, loss('0-1-90'), undefined],
  ] as const)('%s', (_, maxLoss, expected, refusal) => {
    const why = lossRefusal(expected, maxLoss, 200);
    if (refusal === undefined) expect(why).toBeUndefined();
    else expect(why).toMatch(refusal);
  });
  test('an unknown rate is no rate of zero', () => {
    expect(lossRefusal(loss('0-1-100'), { transactions: 1_000 }, null)).toMatch(/how fast/);
  });
});
