import { expect, test } from 'vitest';
import { readRefreshFlags, refreshFlags } from '../../../src/cache/refresh-mark.js';

const NOW = 1_795_000_000;

test('a value becomes due at its time, and not before', () => {
  const flags = refreshFlags({ absent: false, dueAt: NOW + 48 }, NOW);
  expect(readRefreshFlags(flags, NOW)).toEqual({ absent: false, dueIn: 48 });
  expect(readRefreshFlags(flags, NOW + 47.25).dueIn).toBe(0.75);
  expect(readRefreshFlags(flags, NOW + 48).dueIn).toBe(0);
  expect(readRefreshFlags(flags, NOW + 3_600).dueIn).toBe(0);
});

test('a time beyond the horizon is due at the horizon, and never at once', () => {
  const flags = refreshFlags({ absent: false, dueAt: NOW + 86_400 }, NOW);
  expect(readRefreshFlags(flags, NOW).dueIn).toBe(16_382);
  expect(readRefreshFlags(flags, NOW + 16_383).dueIn).toBe(0);
});

test('flags without a mark, as PHP writes them, are never due', () => {
  for (let second = NOW; second < NOW + 70_000; second += 997) {
    expect(readRefreshFlags(0x55, second)).toEqual({ absent: false, dueIn: Infinity });
  }
});

test('every second of the clock can be told', () => {
  for (let second = NOW; second < NOW + 33_000; second += 1) {
    const flags = refreshFlags({ absent: true, dueAt: second + 10 }, second);
    expect(flags).toBeLessThanOrEqual(0xffff_0000);
    const { absent, dueIn } = readRefreshFlags(flags, second);
    // Never later: a value must not be kept for longer than it lives.
    expect([absent, dueIn === 10 || dueIn === 9]).toEqual([true, true]);
    expect(readRefreshFlags(flags, second + 11).dueIn).toBe(0);
  }
});
