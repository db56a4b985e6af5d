import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RetiredSessions } from '../../../src/session/retired-sessions.js';

let done: string[];
let failing: boolean;
let retired: RetiredSessions;
beforeEach(() => {
  vi.useFakeTimers();
  done = [];
  failing = false;
  retired = new RetiredSessions({
    destroy: async (id) => {
      if (failing) throw new Error('down');
      done.push(`destroy ${id}`);
    },
    shorten: async (id, remainingMs) => void done.push(`shorten ${id} ${remainingMs}`),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

test('a replaced session is shortened at once and removed after its time', async () => {
  await retired.retire('old', 'new', 5_000);
  expect(done).toEqual(['shorten old 5000']);
  await vi.advanceTimersByTimeAsync(4_999);
  expect(done).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(done).toEqual(['shorten old 5000', 'destroy old']);
});

test('without a time it is removed at once, and a failure is told', async () => {
  await retired.retire('old', 'new', 0);
  expect(done).toEqual(['destroy old']);
  failing = true;
  await expect(retired.retire('other', 'new', 0)).rejects.toThrow('down');
});

test('a whole chain of replaced sessions is taken with the last one, once', async () => {
  await retired.retire('a', 'b', 5_000);
  await retired.retire('b', 'c', 5_000);
  await retired.retire('x', 'y', 5_000);
  expect(retired.take('c')).toEqual(['b', 'a']);
  expect(retired.take('c')).toEqual([]);
  done = [];
  await retired.close();
  expect(done).toEqual(['destroy x']);
  await vi.runAllTimersAsync();
  expect(done).toEqual(['destroy x']);
});

test('a removal that fails harms nobody', async () => {
  await retired.retire('old', 'new', 5_000);
  failing = true;
  await vi.advanceTimersByTimeAsync(5_000);
  await expect(retired.close()).resolves.toBeUndefined();
});
