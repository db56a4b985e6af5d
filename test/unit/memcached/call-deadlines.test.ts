import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CallDeadlines, type DeadlineMember } from '../../../src/memcached/call-deadlines.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function member(afterMs: number, over: number[]): DeadlineMember {
  return { dueAt: performance.now() + afterMs, expired: () => void over.push(afterMs) };
}

test('each is over at its own time, whatever the order in which they came', async () => {
  const deadlines = new CallDeadlines();
  const over: number[] = [];
  for (const afterMs of [300, 100, 200, 100, 5]) deadlines.add(member(afterMs, over));
  await vi.advanceTimersByTimeAsync(4);
  expect(over).toEqual([]);
  await vi.advanceTimersByTimeAsync(97);
  expect(over).toEqual([5, 100, 100]);
  await vi.advanceTimersByTimeAsync(300);
  expect(over).toEqual([5, 100, 100, 200, 300]);
  expect(vi.getTimerCount()).toBe(0);
});

test('what is removed is never over, also when its time has come and its turn has not', async () => {
  const deadlines = new CallDeadlines();
  const over: number[] = [];
  const late = member(50, over);
  const other = member(60, over);
  deadlines.add(late);
  deadlines.add(other);
  // The answer is read in the same turn of the event loop in which the timer fires.
  setTimeout(() => deadlines.remove(late), 50);
  await vi.advanceTimersByTimeAsync(100);
  expect(over).toEqual([60]);
});

test('a thousand members hold one timer', () => {
  const deadlines = new CallDeadlines();
  for (let n = 0; n < 1_000; n += 1) deadlines.add(member(500 + n, []));
  expect(vi.getTimerCount()).toBe(1);
});

test('what is added from a member that is over is watched, too', async () => {
  const deadlines = new CallDeadlines();
  const over: number[] = [];
  deadlines.add({
    dueAt: performance.now() + 10,
    expired: () => deadlines.add(member(10, over)),
  });
  await vi.advanceTimersByTimeAsync(40);
  expect(over).toEqual([10]);
});
