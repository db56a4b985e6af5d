/** Processes go by the list of nodes from before a change that the others have finished. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSessionStore, type NodeChangeStep, type SessionStore } from '../../src/index.js';
import { openStore } from '../../src/session/create-session-store.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from './eventually.js';

const STEPS: readonly NodeChangeStep[] = ['prepare', 'switch', 'finish'];
const REPLACED = 'ERR_CHANGE_REFUSED';
let servers: LocalCluster;

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false, memcached: 3 });
});
afterAll(async () => {
  await servers?.close();
});

test('they are told, bring nothing back, and serve again by the steps or a change back', async () => {
  const [first = '', out = '', added = ''] = servers.memcached.map(({ id }) => id);
  const [before, after] = [
    [first, out],
    [first, added],
  ];
  const open = (): Promise<SessionStore> => createSessionStore({ nodes: before, monitorIntervalMs: 100 });
  const isFilled = (store: SessionStore) => () =>
    store.status().every(({ standing }) => standing === 'filled');
  await using store = await open();
  await using unaware = await open();
  await eventually('the nodes are filled', isFilled(store));
  const ids: string[] = [];
  for (let made = 0; made < 20; made += 1) {
    const session = store.create();
    session.data['user'] = made;
    await store.save(session);
    ids.push(session.id);
  }
  const change = async (who: SessionStore, nodes: readonly string[]): Promise<void> => {
    for (const step of STEPS) await who.setNodes(nodes, { step, timeoutMs: 60_000 });
  };
  await change(store, after);
  for (const id of ids) await store.destroy(id);
  const found = async (): Promise<number> => {
    const sessions = await Promise.all(ids.map((id) => store.load(id)));
    return sessions.filter(({ exists }) => exists).length;
  };
  await expect(open()).rejects.toMatchObject({ code: REPLACED, message: expect.stringContaining(added) });
  await eventually('who never heard of the change is told', () =>
    unaware.load(ids[0] ?? '').then(
      () => false,
      ({ code }) => code === REPLACED,
    ),
  );
  const refused = unaware.create();
  refused.data['user'] = 1;
  await expect(unaware.save(refused)).rejects.toMatchObject({ code: REPLACED });
  await expect(unaware.resync()).rejects.toMatchObject({ code: REPLACED });
  await using late = (await openStore({ nodes: before, monitorIntervalMs: 100 }, true)) as SessionStore;
  await change(late, after);
  const session = late.create();
  session.data['user'] = 1;
  await late.save(session);
  expect((await store.load(session.id)).data).toEqual({ user: 1 });
  expect(await found()).toBe(0);
  expect(isFilled(store)()).toBe(true);
  for (const step of STEPS)
    for (const who of [store, late]) await who.setNodes(before, { step, timeoutMs: 60_000 });
  await eventually('the old list is in use again', () =>
    unaware.load(session.id).then(
      ({ exists }) => exists,
      () => false,
    ),
  );
  expect(await found()).toBe(0);
});
