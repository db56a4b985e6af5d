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

test('of a subject only what repeats the last word is held back: a change of state is always told', () => {
  const throttle = new LogThrottle(10);
  const admit = (line: string, now: number): number | undefined => throttle.admit(line, now, 'node db1');
  expect([admit('down', 0), admit('up', 1), admit('down', 2), admit('down', 3), admit('down', 4)]).toEqual([
    0,
    0,
    0,
    undefined,
    undefined,
  ]);
  expect([admit('down', 12), admit('up', 13)]).toEqual([2, 0]);
});

test('it does not grow without end', () => {
  const throttle = new LogThrottle(1_000_000);
  for (let n = 0; n < 5_000; n += 1) throttle.admit(String(n), 0);
  // The first ones were forgotten on the way.
  expect(throttle.admit('0', 1)).toBe(0);
});
