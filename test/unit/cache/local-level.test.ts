import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LocalLevel } from '../../../src/cache/local-level.js';

const entry = (bytes: number, tags: string[] = [], expiresAt = 1_000) => ({
  value: Buffer.alloc(bytes),
  flags: 0,
  tags,
  expiresAt,
});

test('what was not used for longest goes first', () => {
  const level = new LocalLevel({ maxEntries: 2, maxBytes: 1_000_000 });
  level.set('a', entry(1));
  level.set('b', entry(1));
  level.get('a', 0);
  level.set('c', entry(1));
  expect(['a', 'b', 'c'].map((key) => level.get(key, 0) !== undefined)).toEqual([true, false, true]);
  expect(level.evicted).toBe(1);
});

test('a value is gone when its time is over', () => {
  const level = new LocalLevel({ maxEntries: 2, maxBytes: 1_000_000 });
  level.set('a', entry(1, [], 50));
  expect(level.get('a', 49)).toBeDefined();
  expect(level.get('a', 50)).toBeUndefined();
  expect(level.size).toBe(0);
  expect(level.bytes).toBe(0);
});

test('a tag takes its values with it, and no others', () => {
  const level = new LocalLevel({ maxEntries: 5, maxBytes: 1_000_000 });
  level.set('a', entry(1, ['x']));
  level.set('b', entry(1, ['x', 'y']));
  level.set('c', entry(1, ['y']));
  level.deleteTag('x');
  expect(level.size).toBe(1);
  expect(level.get('c', 0)).toBeDefined();
});

test('a small value does not hold the large buffer in memory that it came in', () => {
  const level = new LocalLevel({ maxEntries: 5, maxBytes: 8_000_000 });
  const received = Buffer.alloc(500_000, 'x');
  level.set('small', { ...entry(0), value: received.subarray(1_000, 1_100) });
  level.set('own', { ...entry(0), value: received });
  level.set('empty', { ...entry(0), value: received.subarray(7, 7) });
  const held = (key: string) => level.get(key, 0)?.value;
  expect(held('small')).toEqual(Buffer.alloc(100, 'x'));
  expect(held('small')?.buffer.byteLength).toBe(100);
  // What is alone in its buffer is not copied.
  expect(held('own')).toBe(received);
  expect(held('empty')?.buffer.byteLength).toBe(0);
});

test('its bounds hold and its bytes add up, whatever is done', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const step = fc.oneof(
    fc.record({ do: fc.constant('set' as const), key, bytes: fc.nat({ max: 900 }) }),
    fc.record({ do: fc.constant('get' as const), key, now: fc.nat({ max: 2_000 }) }),
    fc.record({ do: fc.constant('delete' as const), key }),
  );
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const level = new LocalLevel({ maxEntries: 4, maxBytes: 3_000 });
      for (const one of steps) {
        if (one.do === 'set') level.set(one.key, entry(one.bytes));
        else if (one.do === 'get') level.get(one.key, one.now);
        else level.delete(one.key);
        expect(level.size).toBeLessThanOrEqual(4);
        expect(level.bytes).toBeLessThanOrEqual(3_000);
        expect(level.bytes > 0).toBe(level.size > 0);
      }
    }),
  );
});
