import { expect, test } from 'vitest';
import type { MemcachedNode } from '../../../src/memcached/memcached-node.js';
import { memcachedLock, memcacheLock } from '../../../src/session/lock-protocol.js';

/** One number on a node, and a clock that stands still unless it is told otherwise. */
function room() {
  const state = { value: undefined as string | undefined, cas: 0n, now: 0, slowMs: 0, sets: 0 };
  const write = (value: string) => {
    state.value = value;
    state.cas += 1n;
  };
  const node = {
    async increment() {
      write(String(BigInt(state.value ?? '0') + 1n));
      state.now += state.slowMs;
      return BigInt(state.value ?? '');
    },
    async get() {
      return state.value === undefined
        ? null
        : { value: Buffer.from(state.value), flags: 768, cas: state.cas };
    },
    async set(_key: string, value: Buffer, { cas }: { cas?: bigint }) {
      if (cas !== undefined && state.value === undefined) return { status: 'not-found' };
      if (cas !== undefined && cas !== state.cas) return { status: 'exists' };
      state.sets += 1;
      write(value.toString());
      const stored = state.cas;
      state.now += state.slowMs;
      return { status: 'stored', cas: stored };
    },
    async touch() {
      return state.value === undefined ? 'not-found' : 'touched';
    },
  };
  const clock = { now: () => state.now, wall: () => state.now };
  const protocol = memcacheLock(15_000, clock);
  const take = () => protocol.tryLock(node as object as MemcachedNode, 'k.lock');
  return { state, write, take };
}

test('a lock that is taken holds a number of its own, from which waiters count on, and is given back as 0', async () => {
  const { state, write, take } = room();
  const lock = await take();
  expect(BigInt(state.value ?? '')).toBeGreaterThan(2n ** 23n);
  expect(await take()).toBeUndefined();
  write(String(BigInt(state.value ?? '') + 7n));
  expect(await lock?.renew()).toBe(true);
  expect(await lock?.release()).toBe(true);
  expect(state.value).toBe('0');
  expect(await take()).toBeDefined();
});

test.each([
  ['has expired', undefined],
  ['has expired and is PHP’s now', '1'],
  ['was unlocked by PHP', '0'],
  ['is no number', 'x'],
])('a lock that %s is neither renewed nor given back', async (_what, value) => {
  const { state, take } = room();
  const lock = await take();
  await Promise.resolve();
  state.value = value;
  state.cas += 1n;
  const { sets } = state;
  expect(await lock?.renew()).toBe(false);
  expect(await lock?.release()).toBe(false);
  expect({ value: state.value, sets: state.sets }).toEqual({ value, sets });
});

test('an answer that took as long as a lock lives is no lock, and nothing is written', async () => {
  const { state, take } = room();
  state.slowMs = 14_500;
  expect(await take()).toBeUndefined();
  expect(state.sets).toBe(0);
});

test('a number that may have arrived when the lock was somebody else’s is given back, and told as lost', async () => {
  const { state, take } = room();
  state.slowMs = 8_000;
  const lock = await take();
  expect(await lock?.release()).toBe(false);
  expect(state.value).toBe('0');
});

/** One item on a node that may keep its answer to itself. */
function shelf() {
  const state = { value: undefined as string | undefined, cas: 0n, isSilent: false };
  const put = (value: string) => {
    state.value = value;
    state.cas += 1n;
    if (state.isSilent) throw new Error('no answer');
    return { status: 'stored', cas: state.cas };
  };
  const node = {
    add: async (_key: string, value: Buffer) =>
      state.value === undefined ? put(value.toString()) : { status: 'exists' },
    set: async (_key: string, value: Buffer, { cas }: { cas?: bigint }) =>
      cas !== undefined && cas !== state.cas ? { status: 'exists' } : put(value.toString()),
    get: async () =>
      state.value === undefined ? null : { value: Buffer.from(state.value), flags: 0, cas: state.cas },
    async delete(_key: string, { cas }: { cas?: bigint }) {
      if (state.value === undefined || cas !== state.cas) return 'not-found';
      state.value = undefined;
      return 'deleted';
    },
  };
  const protocol = memcachedLock(15_000);
  return { state, put, take: () => protocol.tryLock(node as object as MemcachedNode, 'k.lock') };
}

test('a renewal that nobody heard of is no loss, and the lock is given back in the version that it made', async () => {
  const { state, take } = shelf();
  const lock = await take();
  state.isSilent = true;
  await expect(lock?.renew()).rejects.toThrow('no answer');
  state.isSilent = false;
  expect(await lock?.renew()).toBe(true);
  expect(await lock?.release()).toBe(true);
  expect(state.value).toBeUndefined();
});

test('what is there after such a renewal may be the lock of somebody else', async () => {
  const { state, put, take } = shelf();
  const lock = await take();
  state.isSilent = true;
  await expect(lock?.renew()).rejects.toThrow('no answer');
  state.isSilent = false;
  put('theirs');
  expect(await lock?.renew()).toBe(false);
  expect(await lock?.release()).toBe(false);
  expect(state.value).toBe('theirs');
});
