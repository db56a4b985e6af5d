import { expect, test } from 'vitest';
import { backoffMs, pause } from '../../../src/common/backoff.js';

test('delays grow to the maximum and stay in the upper half of their window', () => {
  const options = { firstMs: 100, maxMs: 1000 };
  expect([0, 1, 2, 3, 4, 1000].map((attempt) => backoffMs(attempt, options, () => 1))).toEqual([
    100, 200, 400, 800, 1000, 1000,
  ]);
  expect([0, 1, 2, 3, 4, 1000].map((attempt) => backoffMs(attempt, options, () => 0))).toEqual([
    50, 100, 200, 400, 500, 500,
  ]);
});

test('a pause ends at once when its signal fires or has fired', async () => {
  const controller = new AbortController();
  const paused = pause(3_600_000, controller.signal);
  controller.abort();
  await paused;
  await pause(3_600_000, controller.signal);
});
