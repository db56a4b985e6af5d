import { afterEach, expect, test, vi } from 'vitest';
import { whileReading } from '../../../src/cli/read-config.js';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test.each([
  [true, 'Reading the configuration …'],
  [false, ''],
])('who waits for a configuration is told so, on a terminal (%s) only', async (interactive, told) => {
  vi.useFakeTimers();
  let written = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written += String(text);
    return true;
  });
  const { signal } = new AbortController();
  let resolve = (_: number): void => undefined;
  const promise = new Promise<number>((done) => {
    resolve = done;
  });
  const reading = whileReading({ signal, interactive }, promise);
  await vi.advanceTimersByTimeAsync(1_000);
  resolve(7);
  expect(await reading).toBe(7);
  expect(written).toContain(told);
  if (told === '') expect(written).toBe('');
});
