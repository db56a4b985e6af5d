import { expect, test } from 'vitest';
import { LogThrottle } from '../../../src/diagnostics/log-throttle.js';

test('one line of a kind passes in a while, and the next one says how many did not', () => {
  const throttle = new LogThrottle(10);
  expect([0, 3, 9, 10, 11, 25].map((now) => throttle.admit('a', now))).toEqual([
    0,
    undefined,
    undefined,
    2,
    undefined,
    1,
  ]);
  expect(throttle.admit('b', 25)).toBe(0);
});

test('it does not grow without end', () => {
  const throttle = new LogThrottle(1_000_000);
  for (let n = 0; n < 5_000; n += 1) throttle.admit(String(n), 0);
  // The first ones were forgotten on the way.
  expect(throttle.admit('0', 1)).toBe(0);
});
