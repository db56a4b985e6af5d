import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Ticker } from '../../../src/common/ticker.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('work is done again after a pause, also after it failed, and never twice at a time', async () => {
  let begun = 0;
  let end: (() => void) | undefined;
  const ticker = new Ticker(100, () => {
    begun += 1;
    if (begun === 1) return Promise.reject(new Error('failed'));
    return new Promise((resolve) => {
      end = resolve;
    });
  });
  await vi.advanceTimersByTimeAsync(99);
  expect(begun).toBe(0);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(begun).toBe(2);
  end?.();
  await vi.advanceTimersByTimeAsync(100);
  expect(begun).toBe(3);
  end?.();
  await ticker.close();
});

test('close waits for the turn under way, and none begins after it', async () => {
  let end: (() => void) | undefined;
  let begun = 0;
  const ticker = new Ticker(100, () => {
    begun += 1;
    return new Promise((resolve) => {
      end = resolve;
    });
  });
  await vi.advanceTimersByTimeAsync(100);
  let isClosed = false;
  const closed = ticker.close().then(() => {
    isClosed = true;
  });
  expect(ticker.closed).toBe(true);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(isClosed).toBe(false);
  end?.();
  await closed;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(begun).toBe(1);
});
