import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  exptimeByClock,
  exptimeOf,
  exptimeOfEnd,
  exptimeOfRemaining,
  MAX_EXPTIME,
  RELATIVE_EXPTIME_LIMIT,
  serverClockOffsetMs,
} from '../../../src/memcached/exptime.js';

const NOW = Date.UTC(2026, 10, 20, 12, 0, 0, 999);
const NOW_S = Math.floor(NOW / 1000);

test('php-memcached sends up to 30 days as seconds from now', () => {
  expect(exptimeOf(1_440_000, 'memcached', NOW)).toBe(1440);
  expect(exptimeOf(2_592_000_000, 'memcached', NOW)).toBe(2_592_000);
});

test('php-memcached sends more than 30 days as a date', () => {
  expect(exptimeOf(2_592_001_000, 'memcached', NOW)).toBe(NOW_S + 2_592_001);
  // gc_maxlifetime of 40 days in the wire traces.
  expect(exptimeOf(3_456_000_000, 'memcached', 1_795_193_009_000)).toBe(1_798_649_009);
});

test('pecl-memcache always sends a date', () => {
  expect(exptimeOf(1_440_000, 'memcache', NOW)).toBe(NOW_S + 1440);
});

test('0 never expires, in both', () => {
  expect(exptimeOf(0, 'memcached', NOW)).toBe(0);
  expect(exptimeOf(0, 'memcache', NOW)).toBe(0);
});

test('part of a second counts as a whole one, so a short life is never an endless one', () => {
  expect(exptimeOf(1, 'memcached', NOW)).toBe(1);
  expect(exptimeOf(1001, 'memcached', NOW)).toBe(2);
  // A fraction above 30 days must not be sent as 2592001 seconds from 1970.
  expect(exptimeOf(2_592_000_001, 'memcached', NOW)).toBe(NOW_S + 2_592_001);
});

test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, (MAX_EXPTIME - NOW_S + 1) * 1000])(
  'a lifetime of %s ms is refused',
  (lifetimeMs) => {
    expect(() => exptimeOf(lifetimeMs, 'memcached', NOW)).toThrow('lifetime');
  },
);

test('every lifetime ends neither early nor more than a second late, as memcached reads it', () => {
  const lifetimes = fc.integer({ min: 1, max: 10 * 365 * 86_400_000 });
  fc.assert(
    fc.property(
      lifetimes,
      fc.constantFrom('memcached' as const, 'memcache' as const),
      (lifetimeMs, extension) => {
        const exptime = exptimeOf(lifetimeMs, extension, NOW_S * 1000);
        const lives = exptime <= RELATIVE_EXPTIME_LIMIT ? exptime : exptime - NOW_S;
        expect(lives * 1000).toBeGreaterThanOrEqual(lifetimeMs);
        expect(lives * 1000 - lifetimeMs).toBeLessThan(1000);
      },
    ),
  );
});

test('a copy lives as long as the item it was made of', () => {
  expect(exptimeOfRemaining(undefined, NOW)).toBe(0);
  expect(exptimeOfRemaining(1440, NOW)).toBe(1440);
  expect(exptimeOfRemaining(2_592_001, NOW)).toBe(NOW_S + 2_592_001);
  // Its last second is told as none; for ever it must not become.
  expect(exptimeOfRemaining(0, NOW)).toBe(1);
  // What ends with the last second that there is seems to end one later, by a clock that is one behind.
  expect(exptimeOfRemaining(MAX_EXPTIME - NOW_S, NOW)).toBe(MAX_EXPTIME);
  expect(exptimeOfRemaining(MAX_EXPTIME - NOW_S + 1, NOW)).toBe(MAX_EXPTIME);
});

test('the clock of the server comes from its statistics', () => {
  expect(serverClockOffsetMs(new Map([['time', `${NOW_S + 90}`]]), NOW)).toBe(90_000);
  expect(serverClockOffsetMs(new Map([['time', `${NOW_S}`]]), NOW)).toBe(0);
  expect(serverClockOffsetMs(new Map(), NOW)).toBeUndefined();
  expect(serverClockOffsetMs(new Map([['time', 'x']]), NOW)).toBeUndefined();
});

test('a date is told by the clock of the server, a duration is not', () => {
  const date = 2_000_000_000;
  expect(exptimeByClock(date, 3_600_000)).toBe(date + 3_600);
  expect(exptimeByClock(date, -3_600_000)).toBe(date - 3_600);
  expect(exptimeByClock(date, 1_900)).toBe(date);
  expect(exptimeByClock(2_592_000, 3_600_000)).toBe(2_592_000);
  expect(exptimeByClock(0, -3_600_000)).toBe(0);
  expect(exptimeByClock(2_592_001, -3_600_000)).toBe(2_592_001);
  expect(exptimeByClock(0xffff_ffff, 3_600_000)).toBe(0xffff_ffff);
});

test('the date of an end by the clock of a server comes to that date again', () => {
  const end = 2_000_000_000;
  for (const aheadMs of [0, 1_900, -1_900, 2_000, 2_001, 3_600_000, -3_600_000, 5_499, -5_500])
    expect(exptimeByClock(exptimeOfEnd(end, aheadMs), aheadMs)).toBe(end);
  expect(exptimeOfEnd(0, 3_600_000)).toBe(0);
  expect(exptimeByClock(exptimeOfEnd(0, -3_600_000), -3_600_000)).toBe(0);
});
