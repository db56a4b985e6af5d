/** A hung mount costs its share of threads, and never more. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { callsPerMount, MountGate, poolThreads } from '../../../src/files/mount-gate.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});
function gate(limit = 1): MountGate {
  return new MountGate({ path: '/srv/a', limit, timeoutMs: 100 });
}
function call<T>(): { work: () => Promise<T>; started: () => boolean; finish: (value: T) => void } {
  let started = false;
  let finish: (value: T) => void = () => undefined;
  const result = new Promise<T>((resolve) => {
    finish = resolve;
  });
  return {
    work: () => {
      started = true;
      return result;
    },
    started: () => started,
    finish: (value) => finish(value),
  };
}

test.each([
  [4, 2, 1],
  [4, 1, 3],
  [16, 2, 7],
  [4, 8, 1],
  [1, 1, 1],
])('of %i threads each of %i mounts may occupy %i', (threads, mounts, calls) => {
  expect(callsPerMount(threads, mounts)).toBe(calls);
});

test.each([
  [undefined, 4],
  ['16', 16],
  ['0', 1],
  ['many', 4],
  ['9999', 1024],
])('UV_THREADPOOL_SIZE %s means %i threads', (text, threads) => {
  expect(poolThreads({ UV_THREADPOOL_SIZE: text })).toBe(threads);
});

test('only so many calls run at a time, the others in their order', async () => {
  const one = gate(2);
  const calls = [call<number>(), call<number>(), call<number>()];
  const results = calls.map(({ work }, index) => one.run(`call ${index}`, work));
  expect(calls.map(({ started }) => started())).toEqual([true, true, false]);
  calls[0]?.finish(1);
  expect(await results[0]).toBe(1);
  expect(calls[2]?.started()).toBe(true);
});

test('a call that hangs is ERR_TIMEOUT naming the mount, and nothing new is started until it came back', async () => {
  const one = gate();
  const [hung, waiting] = [call<string>(), call<string>()];
  const late: string[] = [];
  const first = one.run('Reading', hung.work, (value) => late.push(value));
  const second = one.run('Waiting', waiting.work);
  const both = Promise.allSettled([first, second]);
  await vi.advanceTimersByTimeAsync(100);
  for (const result of await both)
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'ERR_TIMEOUT', node: '/srv/a' } });
  expect(one.hung).toBe(1);
  expect(waiting.started()).toBe(false);
  await expect(one.run('More', waiting.work)).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
  hung.finish('a file');
  await vi.advanceTimersByTimeAsync(0);
  expect(late).toEqual(['a file']);
  expect(one.hung).toBe(0);
  waiting.finish('works');
  expect(await one.run('Again', waiting.work)).toBe('works');
});

test('a call that fails is passed on, and frees its place', async () => {
  const one = gate();
  await expect(one.run('Bad', () => Promise.reject(new Error('EIO')))).rejects.toThrow('EIO');
  expect(await one.run('Good', () => Promise.resolve(1))).toBe(1);
});
