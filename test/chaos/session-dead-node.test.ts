/** Of three nodes one never comes back, or late, and another one starts anew: who has what, by the servers, and how the dead one is replaced. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../integration/eventually.js';
import { MemcachedServers } from '../integration/memcached-servers.js';
import {
  copiesOf,
  missingOf,
  nameOf,
  openOn,
  saveSome,
  standingOf,
  startNodes,
} from '../support/session-nodes.js';

let servers: MemcachedServers;

beforeAll(async () => {
  servers = await MemcachedServers.open();
});

afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

test('of three one is dead, another one starts anew: all have two copies again, and the dead one is replaced', async () => {
  const { a, b, c, d } = await startNodes(servers, ['a', 'b', 'c', 'd']);
  await using store = await openOn([a, b, c]);
  const told: string[] = [];
  store.on('resynced', ({ node, kind }) => told.push(`${kind} ${node}`));
  const ids = await saveSome(store, 90);
  await c.server.kill();
  await eventually('the others stand in for it', () =>
    [a, b].every((node) => told.includes(`recopy ${nameOf(node)}`)),
  );
  await a.restart();
  await eventually('every session has two copies', async () =>
    (await copiesOf([a, b], ids)).every((n) => n === 2),
  );
  expect(standingOf(store, a)).toBe('warming');
  expect(await missingOf(store, ids)).toBe(0);

  for (const step of ['prepare', 'switch', 'finish'] as const)
    await store.setNodes([a, b, d].map(nameOf), { step, timeoutMs: 30_000 });
  expect(await missingOf(store, ids)).toBe(0);
  await b.server.kill();
  expect(await missingOf(store, ids)).toBe(0);
});

test('before anybody stands in for the dead one the node that starts anew waits for it, and takes second copies of what the other has', async () => {
  const { a, b, c } = await startNodes(servers, ['a', 'b', 'c']);
  await using store = await openOn([a, b, c]);
  const progress: string[] = [];
  store.on('resync-started', ({ node, kind }) => progress.push(`${kind} ${node}`));
  const ids = await saveSome(store, 90);
  const ofDead = ids.filter((id) => !store.holders(id).includes(nameOf(b)));
  const others = ids.filter((id) => !ofDead.includes(id));
  await Promise.all([c.server.kill(), a.restart()]);
  await eventually('what is left has two copies', async () =>
    (await copiesOf([a, b], others)).every((n) => n === 2),
  );
  expect(standingOf(store, a)).toBe('warming');
  expect(await missingOf(store, others)).toBe(0);
  // Nothing changes until somebody comes back: it is not dumped again and again.
  const fills = (): number => progress.filter((line) => line === `fill ${nameOf(a)}`).length;
  const begun = fills();
  expect(begun).toBeLessThanOrEqual(4);
  const reports = await store.resync({ timeoutMs: 20_000 });
  expect(reports.map(({ outcome }) => outcome).sort()).toEqual(['complete', 'incomplete', 'unreachable']);
  await c.start();
  await eventually('all three are filled', () =>
    [a, b, c].every((node) => standingOf(store, node) === 'filled'),
  );
  expect(await missingOf(store, others)).toBe(0);
});
