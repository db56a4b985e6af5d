/** `stormlamp resync` on real nodes: what it tells of them, and how it fills one that restarted empty. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSessionStore } from '../../src/session/create-session-store.js';
import { stormlamp } from '../support/run-node.js';
import { MemcachedServers, type TestMemcached } from './memcached-servers.js';

let servers: MemcachedServers;
let nodes: readonly TestMemcached[];
let names: readonly string[];

beforeAll(async () => {
  servers = await MemcachedServers.open();
  nodes = [await servers.start(), await servers.start()];
  names = nodes.map(({ host, port }) => `${host}:${port}`);
  await using store = await createSessionStore({ nodes: names });
  for (let count = 0; count < 30; count += 1) {
    const session = store.create();
    session.data['n'] = count;
    await store.save(session);
  }
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

test('status shows nodes that are complete, and one that is not', async () => {
  const whole = await stormlamp(['resync', '--check', '--nodes', names.join(','), '--json']);
  expect(whole.code).toBe(0);
  expect(JSON.parse(whole.stdout)).toMatchObject({
    ok: true,
    nodes: [
      { node: names[0], standing: 'filled' },
      { standing: 'filled', memory: { evictions: 0 } },
    ],
  });
  await nodes[0]?.restart();
  const restarted = await stormlamp(['resync', '--check', '--nodes', names.join(',')]);
  expect(restarted.code).toBe(1);
  expect(restarted.stdout).toMatch(/warming +0 items/);
});

test('resync fills it, and says what it did; the second time there is nothing to do', async () => {
  const first = await stormlamp(['resync', '--json'], {
    env: { STORMLAMP_MEMCACHED: names.join(' ') },
  });
  expect({ code: first.code, stderr: first.code === 0 ? '' : first.stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(first.stdout)).toMatchObject({
    ok: true,
    nodes: [
      { node: names[0], outcome: 'resynced', copied: 30 },
      { node: names[1], outcome: 'complete' },
    ],
  });
  const second = await stormlamp(['resync', '--nodes', names.join(',')]);
  expect(second.code).toBe(0);
  expect(second.stdout).toMatch(/complete[\s\S]*complete/);
});

test('wrong words and numbers are told', async () => {
  const word = await stormlamp(['resync', 'cache1']);
  expect(word).toMatchObject({ code: 2 });
  expect(word.stderr).toMatch(/resync <argument>/);
  const rate = await stormlamp(['resync', '--nodes', names.join(','), '--rate', 'fast']);
  expect(rate.code).toBe(2);
  expect(rate.stderr).toMatch(/--rate/);
});
