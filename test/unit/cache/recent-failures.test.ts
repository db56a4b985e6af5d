import { expect, test } from 'vitest';
import { RecentFailures } from '../../../src/cache/recent-failures.js';

test('a key is recent for a second, and the oldest of too many gives way', () => {
  let now = 0;
  const failures = new RecentFailures({ now: () => now, wall: () => now });
  failures.add('k');
  now = 999;
  expect([failures.isRecent('k'), failures.isRecent('other')]).toEqual([true, false]);
  now = 1_000;
  expect(failures.isRecent('k')).toBe(false);
  for (let count = 0; count <= 10_000; count += 1) failures.add(`k${count}`);
  expect([failures.isRecent('k0'), failures.isRecent('k1'), failures.isRecent('k10000')]).toEqual([
    false,
    true,
    true,
  ]);
});
