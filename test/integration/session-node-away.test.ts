/** A node that is away when nodes are taken out misses what is written from then on, and comes back with what it had. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSessionStore, type NodeChangeStep } from '../../src/index.js';
import { FaultProxy } from '../../src/testing/faults/fault-proxy.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from './eventually.js';

let servers: LocalCluster;

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false, memcached: 3 });
});
afterAll(async () => {
  await servers?.close();
});

/** A busy machine is slow. */
const SLOW_MS = 120_000;

function names(...indexes: readonly number[]): readonly string[] {
  return indexes.flatMap((index) => servers.memcached[index]?.id ?? []);
}

test(
  'a node that was away when it was taken out is not believed when it is put in again',
  async () => {
    const proxy = await FaultProxy.open(() => servers.memcached[1]?.port ?? 0);
    const [old, next] = [names(0, 1), names(0, 2)];
    const [, out = ''] = old;
    const addressMap = { [out]: `127.0.0.1:${proxy.port}` };
    await using store = await createSessionStore({ nodes: old, addressMap, monitorIntervalMs: 100 });
    const standing = (id: string): string | undefined =>
      store.status().find(({ node }) => node === id)?.standing;
    try {
      await eventually('every node is filled', () => old.every((id) => standing(id) === 'filled'));
      const sessions = Array.from({ length: 24 }, () => store.create()).filter(
        ({ id }) => store.holders(id)[0] === out,
      );
      expect(sessions.length).toBeGreaterThan(4);
      for (const session of sessions) {
        session.data['saved'] = 'before';
        await store.save(session);
      }
      const take = (nodes: readonly string[], step: NodeChangeStep): Promise<void> =>
        store.setNodes(nodes, { step, timeoutMs: 60_000, ...(nodes === old ? { addressMap } : {}) });
      await take(next, 'prepare');
      await take(next, 'switch');
      proxy.destroy();
      await take(next, 'finish');
      const [gone, changed] = [sessions.slice(0, 2), sessions.slice(2)];
      for (const { id } of gone) await store.destroy(id);
      for (const session of changed) {
        session.data['saved'] = 'after';
        await store.save(session);
      }
      await proxy.accept();
      for (const step of ['prepare', 'switch', 'finish'] as const) await take(old, step);
      const loaded = await Promise.all(sessions.map(({ id }) => store.load(id)));
      expect(loaded.map(({ exists, data }) => (exists ? data['saved'] : 'gone'))).toEqual([
        ...gone.map(() => 'gone'),
        ...changed.map(() => 'after'),
      ]);
    } finally {
      proxy.destroy();
    }
  },
  SLOW_MS,
);
