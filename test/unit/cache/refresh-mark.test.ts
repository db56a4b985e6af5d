import { expect, test } from 'vitest';
import { readRefreshFlags, refreshFlags } from '../../../src/cache/refresh-mark.js';

const NOW = 1_795_000_000;

test('a value becomes due at its time, and not before', () => {
  const flags = refreshFlags({ absent: false, tagged: false, dueAt: NOW + 48 }, NOW);
  expect(readRefreshFlags(flags, NOW)).toEqual({ absent: false, tagged: false, dueIn: 48, dueFor: 0 });
  expect(readRefreshFlags(flags, NOW + 47.25).dueIn).toBe(0.75);
  expect(readRefreshFlags(flags, NOW + 48).dueIn).toBe(0);
  expect(readRefreshFlags(flags, NOW + 3_600)).toMatchObject({ dueIn: 0, dueFor: 3_552 });
});

/** Every kind of mark, and how far ahead it can tell a time, in seconds. */
const KINDS = [
  { absent: false, tagged: false, horizon: 16_382 },
  { absent: false, tagged: true, horizon: 8_190 },
  { absent: true, tagged: false, horizon: 4_094 },
  { absent: true, tagged: true, horizon: 4_094 },
] as const;

test.each(KINDS)(
  'absent $absent, tagged $tagged: a time beyond the horizon is due at the horizon, and never at once',
  ({ horizon, ...kind }) => {
    const flags = refreshFlags({ ...kind, dueAt: NOW + 86_400 }, NOW);
    expect(readRefreshFlags(flags, NOW).dueIn).toBe(horizon);
    expect(readRefreshFlags(flags, NOW + horizon).dueIn).toBe(0);
  },
);

test('flags without a mark, as PHP writes them, are never due', () => {
  for (let second = NOW; second < NOW + 70_000; second += 997) {
    expect(readRefreshFlags(0x55, second)).toEqual({
      absent: false,
      tagged: false,
      dueIn: Infinity,
      dueFor: 0,
    });
  }
});

test.each(KINDS)('absent $absent, tagged $tagged: every second of the clock can be told', (kind) => {
  const { absent, tagged } = kind;
  for (let second = NOW; second < NOW + 33_000; second += 1) {
    const flags = refreshFlags({ absent, tagged, dueAt: second + 10 }, second);
    const { dueIn, ...seen } = readRefreshFlags(flags, second);
    // Never later: a value must not be kept for longer than it lives.
    if (flags > 0xffff_0000 || seen.absent !== absent || seen.tagged !== tagged || dueIn > 10 || dueIn < 9) {
      expect.fail(`${second}: ${JSON.stringify({ flags, dueIn, ...seen })}`);
    }
    if (readRefreshFlags(flags, second + 11).dueIn !== 0) expect.fail(`${second} is not due in time`);
  }
});

test.each(KINDS)('absent $absent, tagged $tagged: what is never due keeps its kind', ({ absent, tagged }) => {
  const flags = refreshFlags({ absent, tagged, dueAt: undefined }, NOW);
  expect(readRefreshFlags(flags, NOW)).toEqual({ absent, tagged, dueIn: Infinity, dueFor: 0 });
});
