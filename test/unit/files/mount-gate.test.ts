/** A hung mount costs its share of threads, and never more. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FileThreads, poolThreads } from '../../../src/files/file-threads.js';
import { MountGate } from '../../../src/files/mount-gate.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});
function gate(limit = 1, threads = new FileThreads(limit + 1)): MountGate {
  return new MountGate({ path: '/srv/a', threads, timeoutMs: 100 });
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
  const all = new FileThreads(threads);
  for (let index = 0; index < mounts; index += 1) gate(0, all);
  expect(all.share).toBe(calls);
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

test('mounts of all stores share the threads, and one is left to everybody else whatever hangs', async () => {
  const threads = new FileThreads(4);
  const gates = [gate(0, threads), gate(0, threads), gate(0, threads), gate(0, threads)];
  const calls = gates.map(() => call<string>());
  const all = gates.map((one, index) => one.run('Reading', (calls[index] ?? call<string>()).work));
  const settled = Promise.allSettled(all);
  expect(calls.map(({ started }) => started())).toEqual([true, true, true, false]);
  await vi.advanceTimersByTimeAsync(100);
  for (const result of await settled)
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'ERR_TIMEOUT' } });
  // The last one never had a thread, which says nothing of its mount.
  expect(gates.map(({ hung }) => hung)).toEqual([1, 1, 1, 0]);
  const refused = gates[3]?.run('Reading', call<string>().work);
  await expect(refused).rejects.toMatchObject({
    node: undefined,
    message: expect.stringContaining('UV_THREADPOOL_SIZE'),
  });
  calls[0]?.finish('back');
  await vi.advanceTimersByTimeAsync(0);
  expect(await gates[3]?.run('Reading', () => Promise.resolve('works'))).toBe('works');
});

test('a thread that becomes free goes to the mount that waits for it, and a store that closes leaves its share', async () => {
  const threads = new FileThreads(2);
  const [one, other] = [gate(0, threads), gate(0, threads)];
  const [first, second] = [call<number>(), call<number>()];
  const results = [one.run('First', first.work), other.run('Second', second.work)];
  expect(second.started()).toBe(false);
  first.finish(1);
  await results[0];
  expect(second.started()).toBe(true);
  second.finish(2);
  expect(await results[1]).toBe(2);
  const three = new FileThreads(4);
  const [stays, goes] = [gate(0, three), gate(0, three)];
  expect(three.share).toBe(1);
  goes.close();
  expect(three.share).toBe(3);
  expect(stays.hung).toBe(0);
});

test('what is to be ended on a mount that hangs is ended when it is back, before anything else', async () => {
  const one = gate();
  const [hung, ending] = [call<number>(), call<number>()];
  const failed = one.run('Reading', hung.work).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(100);
  expect(await failed).toMatchObject({ code: 'ERR_TIMEOUT' });
  await one.end(ending.work);
  expect(ending.started()).toBe(false);
  hung.finish(1);
  await vi.advanceTimersByTimeAsync(0);
  const next = call<number>();
  void one.run('Next', next.work);
  expect([ending.started(), next.started()]).toEqual([true, false]);
  ending.finish(1);
  await vi.advanceTimersByTimeAsync(0);
  expect(next.started()).toBe(true);
});
