import { expect, test } from 'vitest';
import { readRefreshFlags, refreshFlags } from '../../../src/cache/refresh-mark.js';

const NOW = 1_795_000_000;

test('a value becomes due at its time, and not before', () => {
  const flags = refreshFlags({ absent: false, dueAt: NOW + 48 }, NOW);
  expect(readRefreshFlags(flags, NOW)).toEqual({ absent: false, due: false });
  expect(readRefreshFlags(flags, NOW + 47).due).toBe(false);
  expect(readRefreshFlags(flags, NOW + 48).due).toBe(true);
  expect(readRefreshFlags(flags, NOW + 3_600).due).toBe(true);
});

test('a time beyond the horizon is due at the horizon, and never at once', () => {
  const flags = refreshFlags({ absent: false, dueAt: NOW + 86_400 }, NOW);
  expect(readRefreshFlags(flags, NOW).due).toBe(false);
  expect(readRefreshFlags(flags, NOW + 16_383).due).toBe(true);
});

test('flags without a mark, as PHP writes them, are never due', () => {
  for (let second = NOW; second < NOW + 70_000; second += 997) {
    expect(readRefreshFlags(0x55, second)).toEqual({ absent: false, due: false });
  }
});

test('every second of the clock can be told', () => {
  for (let second = NOW; second < NOW + 33_000; second += 13) {
    const flags = refreshFlags({ absent: true, dueAt: second + 10 }, second);
    expect(flags).toBeLessThanOrEqual(0xffff_0000);
    expect(readRefreshFlags(flags, second)).toEqual({ absent: true, due: false });
    expect(readRefreshFlags(flags, second + 11).due).toBe(true);
  }
});
