import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { resolveCacheOptions } from '../../../src/cache/cache-options.js';
import { isDue, markedValue, surelyLeftMs } from '../../../src/cache/marked-value.js';

const NOW = 1_795_000_000_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

test('a value that is due never ends before the time that it is said to have left', () => {
  const life = fc.record({
    ttlMs: fc.integer({ min: 1, max: 30_000_000 }),
    refreshAt: fc.double({ min: 0, max: 0.99, noNaN: true }),
    storedAt: fc.integer({ min: NOW, max: NOW + 40_000_000 }),
    seenAt: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(life, ({ ttlMs, refreshAt, storedAt, seenAt }) => {
      const options = resolveCacheOptions({ nodes: ['cache1:11211'], refreshAt });
      vi.setSystemTime(storedAt);
      const stored = markedValue('value', { ttlMs, negativeTtlMs: 0, tags: [] }, options);
      const seen = Math.floor(storedAt + seenAt * ttlMs);
      vi.setSystemTime(seen);
      fc.pre(isDue(stored, options));
      // memcached counts whole seconds, the first of which has begun already.
      const earliestEnd = Math.max(seen, storedAt + (Math.ceil(ttlMs / 1000) - 1) * 1000);
      expect(seen + surelyLeftMs(stored, ttlMs, options)).toBeLessThanOrEqual(earliestEnd);
    }),
  );
});

test('a value that has just become due has most of the rest of its life left', () => {
  const options = resolveCacheOptions({ nodes: ['cache1:11211'], refreshAt: 0.8 });
  vi.setSystemTime(NOW);
  const stored = markedValue('value', { ttlMs: 600_000, negativeTtlMs: 0, tags: [] }, options);
  vi.setSystemTime(NOW + 505_000);
  expect(isDue(stored, options)).toBe(true);
  const left = surelyLeftMs(stored, 600_000, options);
  expect(left).toBeGreaterThan(40_000);
  expect(left).toBeLessThanOrEqual(95_000);
});
