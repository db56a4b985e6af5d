/** While a node that came back empty is filled, the other one is the only one that knows its sessions: it goes on being asked. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { SessionStore } from '../../src/session/session-store.js';
import { FaultProxy } from '../../src/testing/faults/fault-proxy.js';
import { eventually } from './eventually.js';
import { MemcachedServers } from './memcached-servers.js';

let servers: MemcachedServers;

beforeAll(async () => {
  servers = await MemcachedServers.open();
});

afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

interface Scene extends AsyncDisposable {
  readonly store: SessionStore;
  /** The way to the node that knows. */
  readonly line: FaultProxy;
  /** Their first node is this one or that. */
  readonly ids: readonly string[];
}

/** Sessions on two nodes, one of which has just come back empty, and nobody fills it; by default no look at a node helps. */
async function oneNodeKnows(monitorIntervalMs = 60_000): Promise<Scene> {
  const [empty, knowing] = [await servers.start(), await servers.start()];
  const line = await FaultProxy.open(() => knowing.port);
  const names = [empty, knowing].map(({ host, port }) => `${host}:${port}`);
  const options = {
    nodes: names,
    addressMap: { [names[1] ?? '']: `127.0.0.1:${line.port}` },
    monitorIntervalMs,
    operationTimeoutMs: 300,
  };
  // It marks the nodes, which are new.
  await (await createSessionStore(options)).close();
  const store = await createSessionStore({ ...options, resync: false });
  const ids: string[] = [];
  for (let count = 0; count < 20; count += 1) {
    const session = store.create();
    session.data['user'] = 'ada';
    await store.save(session);
    ids.push(session.id);
  }
  await empty.restart();
  await eventually('the node is known to be empty', async () => {
    for (const id of ids) await store.load(id).catch(() => undefined);
    return store.status()[0]?.standing === 'warming' && store.status()[0]?.reads === 'closed';
  });
  return {
    store,
    line,
    ids,
    async [Symbol.asyncDispose]() {
      await store.close();
      line.destroy();
    },
  };
}

async function expectAll({ store, ids }: Scene): Promise<void> {
  const loaded = await Promise.all(ids.map((id) => store.load(id)));
  expect(loaded.filter(({ data }) => data['user'] !== 'ada')).toEqual([]);
}

test('the only node that knows is asked again as soon as it answers in time, though it was late many times', async () => {
  await using scene = await oneNodeKnows();
  const fault = scene.line.latency({ ms: 2_000 });
  const late = await Promise.allSettled(scene.ids.map((id) => scene.store.load(id)));
  expect(late.every(({ status }) => status === 'rejected')).toBe(true);
  fault.heal();
  await expectAll(scene);
});

test('when it answers no look either it is down, and its breaker opens until it is back', async () => {
  await using scene = await oneNodeKnows(50);
  const reads = () => scene.store.status()[1]?.reads;
  const fault = scene.line.partition();
  await expect.poll(reads).toBe('open');
  await expect(scene.store.load(scene.ids[0] ?? '')).rejects.toMatchObject({ code: 'ERR_STORE_DOWN' });
  fault.heal();
  await expect.poll(reads).toBe('closed');
  await expectAll(scene);
});
