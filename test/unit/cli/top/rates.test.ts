import { expect, test } from 'vitest';
import { percentile, ratesOf, sparkline } from '../../../../src/cli/top/rates.js';

test('counters grow per second; one that fell tells nothing', () => {
  expect(ratesOf({ a: 10, b: 5, d: 1 }, { a: 30, b: 2, c: 7, d: 1 }, 500)).toEqual({
    a: 40,
    b: null,
    c: 0,
    d: 0,
  });
  expect(ratesOf({ a: 1 }, { a: 2 }, 0)).toEqual({ a: null });
});

test.each([
  [[], 0.5, null],
  [[3], 0.95, 3],
  [[4, 1, 3, 2], 0.5, 2],
  [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.95, 10],
])('of %j the share %d is within %s', (values, share, expected) => {
  expect(percentile(values, share)).toBe(expected);
});

test('bars are as high as the highest, and gaps are gaps', () => {
  expect(sparkline([0, 50, null, 100], 10)).toBe('▁▅ █');
  expect(sparkline([9, 0, 0], 2)).toBe('▁▁');
  expect(sparkline([], 5)).toBe('');
});
