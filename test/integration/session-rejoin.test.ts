/** Nodes that restart empty, are flushed, frozen or cut off: every acknowledged session is there afterwards, by what the servers hold. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { SessionStore } from '../../src/session/session-store.js';
import { eventually } from './eventually.js';
import { MemcachedServers, type TestMemcached } from './memcached-servers.js';

let servers: MemcachedServers;

beforeAll(async () => {
  servers = await MemcachedServers.open();
});

afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

async function pair(): Promise<readonly [TestMemcached, TestMemcached]> {
  return [await servers.start(), await servers.start()];
}

function open(nodes: readonly TestMemcached[], more: object = {}): Promise<SessionStore> {
  return createSessionStore({
    nodes: nodes.map(({ host, port }) => `${host}:${port}`),
    monitorIntervalMs: 100,
    ...more,
  });
}

async function saveSessions(store: SessionStore, count: number): Promise<Map<string, string>> {
  const saved = new Map<string, string>();
  await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const session = store.create();
      session.data['user'] = `user ${index}`;
      await store.save(session);
      saved.set(session.id, `user ${index}`);
    }),
  );
  return saved;
}

async function lost(store: SessionStore, saved: ReadonlyMap<string, string>): Promise<number> {
  const found = await Promise.all(
    [...saved].map(async ([id, user]) => (await store.load(id)).data['user'] === user),
  );
  return found.filter((ok) => !ok).length;
}

function resynced(store: SessionStore, node: TestMemcached): Promise<void> {
  const id = `${node.host}:${node.port}`;
  return new Promise((resolve) => {
    store.on('node-standing', ({ node: changed, after }) => {
      if (changed === id && after === 'filled') resolve();
    });
  });
}

test('one node after the other restarts empty, and nobody is logged out', async () => {
  const [a, b] = await pair();
  await using store = await open([a, b]);
  const saved = await saveSessions(store, 200);
  for (const node of [a, b, a]) {
    const done = resynced(store, node);
    await node.restart();
    expect(await lost(store, saved)).toBe(0);
    await done;
    expect(await lost(store, saved)).toBe(0);
  }
});

test('without the wait for the refill the second restart loses what the first node had not got back', async () => {
  const [a, b] = await pair();
  await using store = await open([a, b], { resyncItemsPerSecond: 1 });
  const saved = await saveSessions(store, 200);
  await a.restart();
  await eventually('the store sees the restart', () =>
    store.status().some(({ standing }) => standing === 'warming'),
  );
  await b.restart();
  expect(await lost(store, saved)).toBeGreaterThan(100);
});
