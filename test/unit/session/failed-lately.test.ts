import { expect, test } from 'vitest';
import { FailedLately } from '../../../src/session/failed-lately.js';

test('what failed rests for its time, from the last failure on', () => {
  const lately = new FailedLately(100);
  expect(lately.isResting('a', 0)).toBe(false);
  lately.failed('a', 0);
  lately.failed('b', 50);
  lately.failed('a', 60);
  expect([lately.isResting('a', 159), lately.isResting('b', 149)]).toEqual([true, true]);
  expect([lately.isResting('a', 160), lately.isResting('b', 150)]).toEqual([false, false]);
});

test('of very many that fail the oldest are forgotten', () => {
  const lately = new FailedLately(1_000);
  for (let index = 0; index <= 10_000; index += 1) lately.failed(`${index}`, index / 100);
  expect(['0', '1', '10000'].map((what) => lately.isResting(what, 100))).toEqual([false, true, true]);
});
