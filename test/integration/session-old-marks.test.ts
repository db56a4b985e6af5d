/** A node is added by the list of a trial long ago, whose marks are still on the nodes: nobody wrote by that list since. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSessionStore, type NodeChangeStep } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from './eventually.js';

const SESSIONS = 40;
let servers: LocalCluster;

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false, memcached: 3 });
});
afterAll(async () => {
  await servers?.close();
});

test('every session is found by the new list', async () => {
  const next = servers.memcached.map(({ id }) => id);
  {
    await using trial = await createSessionStore({ nodes: next });
    expect(trial.status().map(({ standing }) => standing)).toEqual(next.map(() => 'filled'));
  }
  await using store = await createSessionStore({ nodes: next.slice(0, 2), monitorIntervalMs: 200 });
  await eventually('both nodes are filled', () =>
    store.status().every(({ standing }) => standing === 'filled'),
  );
  const ids: string[] = [];
  for (let made = 0; made < SESSIONS; made += 1) {
    const session = store.create();
    session.data['user'] = made;
    await store.save(session);
    ids.push(session.id);
  }
  const found = async (): Promise<number> => {
    const sessions = await Promise.all(ids.map((id) => store.load(id)));
    return sessions.filter(({ exists }) => exists).length;
  };
  const take = (step: NodeChangeStep): Promise<void> => store.setNodes(next, { step, timeoutMs: 60_000 });
  await take('prepare');
  await take('switch');
  expect(await found()).toBe(SESSIONS);
  await take('finish');
  expect(await found()).toBe(SESSIONS);
});
