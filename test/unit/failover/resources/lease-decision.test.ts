import fc from 'fast-check';
import { expect, test } from 'vitest';
import { leaseDecision, lockSeconds } from '../../../../src/failover/resources/lease-decision.js';

const calm = { now: 1_000, heldUntil: 5_000, reserveMs: 2_000, tilted: false, closing: false };

test.each([
  [{}, 'keep'],
  [{ heldUntil: 3_001 }, 'keep'],
  [{ heldUntil: 3_000 }, 'leave'],
  [{ heldUntil: 1_000 }, 'leave'],
  [{ heldUntil: Number.NEGATIVE_INFINITY }, 'leave'],
  [{ tilted: true }, 'leave'],
  [{ closing: true }, 'leave'],
])('%j: %s', (change, decision) => {
  expect(leaseDecision({ ...calm, ...change }).do).toBe(decision);
});

test('it says why it lets go', () => {
  const because = (change: object): string => {
    const decision = leaseDecision({ ...calm, ...change });
    return decision.do === 'leave' ? decision.because : '';
  };
  expect(because({ heldUntil: 2_500 })).toContain('ends in 1500 ms');
  expect(because({ heldUntil: 500 })).toContain('majority');
  expect(because({ tilted: true })).toContain('stalled');
});

test('the servers always free the locks of a silent holder before its lease is over', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2_000, max: 600_000 }), (leaseMs) => {
      expect(lockSeconds(leaseMs) * 1_000).toBeLessThan(leaseMs);
      expect(lockSeconds(leaseMs)).toBeGreaterThanOrEqual(1);
    }),
  );
});
