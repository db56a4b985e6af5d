import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { NodeProbes } from '../../../src/cache/node-probes.js';
import type { MemcachedNode } from '../../../src/memcached/memcached-node.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("the first look learns the node's clock, by which it reads long lives, and one a minute learns it anew", async () => {
  const asked: string[] = [];
  const ask = (what: string) => async () => void asked.push(what);
  const node = { id: 'a', stats: ask('stats'), version: ask('version') } as unknown as MemcachedNode;
  const outcomes: boolean[] = [];
  const probes = new NodeProbes([node], 100, (_node, { ok }) => outcomes.push(ok));
  await vi.advanceTimersByTimeAsync(90_000);
  expect(asked[0]).toBe('stats');
  expect(asked.slice(1, 60)).toEqual(Array.from({ length: 59 }, () => 'version'));
  expect(asked[60]).toBe('stats');
  expect(outcomes.every((ok) => ok)).toBe(true);
  await probes.close();
});

test('a node that gives no statistics and answers all the same is there; one that does neither is not', async () => {
  for (const there of [true, false]) {
    const fail = () => Promise.reject(new Error('no'));
    const version = there ? () => Promise.resolve('1.6') : fail;
    const node = { id: 'a', stats: fail, version } as unknown as MemcachedNode;
    const outcomes: boolean[] = [];
    const probes = new NodeProbes([node], 100, (_node, { ok }) => outcomes.push(ok));
    await vi.advanceTimersByTimeAsync(1_500);
    expect(outcomes).toEqual([there]);
    await probes.close();
  }
});
