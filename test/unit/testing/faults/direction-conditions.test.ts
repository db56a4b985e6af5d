import { expect, test } from 'vitest';
import { conditionsOf, type FaultRule } from '../../../../src/testing/faults/direction-conditions.js';

const FREE = {
  delayMs: 0,
  jitterMs: 0,
  held: false,
  sliceBytes: Number.POSITIVE_INFINITY,
  bytesPerSecond: Number.POSITIVE_INFINITY,
};

test('without faults, or with those that concern whole connections, everything passes', () => {
  expect(conditionsOf([], 'to-server')).toEqual(FREE);
  const rules: FaultRule[] = [
    { kind: 'reset', only: 'all' },
    { kind: 'half-open', only: 'all' },
  ];
  expect(conditionsOf(rules, 'to-client')).toEqual(FREE);
});

test('delays add up, of limits the smallest counts, and each way has its own', () => {
  const rules: FaultRule[] = [
    { kind: 'latency', only: 'all', direction: 'to-client', ms: 10, jitterMs: 1 },
    { kind: 'latency', only: 'all', direction: 'both', ms: 5, jitterMs: 2 },
    { kind: 'throttle', only: 'all', direction: 'both', bytesPerSecond: 100 },
    { kind: 'throttle', only: 'all', direction: 'to-server', bytesPerSecond: 50 },
    { kind: 'slice', only: 'all', direction: 'to-client', bytes: 4 },
    { kind: 'slice', only: 'all', direction: 'to-client', bytes: 7 },
    { kind: 'partition', only: 'all', direction: 'to-server' },
  ];
  expect(conditionsOf(rules, 'to-client')).toEqual({
    delayMs: 15,
    jitterMs: 3,
    held: false,
    sliceBytes: 4,
    bytesPerSecond: 100,
  });
  expect(conditionsOf(rules, 'to-server')).toEqual({
    ...FREE,
    delayMs: 5,
    jitterMs: 2,
    held: true,
    bytesPerSecond: 50,
  });
});
