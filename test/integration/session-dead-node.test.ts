/** What a node takes with it that dies or loses its memory while another one was away, and how it is replaced. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ErrorCode } from '../../src/common/stormlamp-error.js';
import type { SessionsLost } from '../../src/memcached/resync/resync-events.js';
import { TextConnection } from '../../src/memcached/text-connection.js';
import { missingOf, nameOf, openOn, saveSome, standingOf, startNodes } from '../support/session-nodes.js';
import { eventually } from './eventually.js';
import { MemcachedServers, type TestMemcached } from './memcached-servers.js';

let servers: MemcachedServers;

beforeAll(async () => {
  servers = await MemcachedServers.open();
});

afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

async function lives(node: TestMemcached, id: string): Promise<number> {
  const { host, port } = node;
  const place = { address: { host, port }, id: nameOf(node), timeoutMs: 5_000, tls: false };
  await using connection = await TextConnection.open(place);
  return (await connection.items([`memc.sess.key.${id}`]))[0]?.remainingSeconds ?? 0;
}

test('of two nodes one is dead, and the other one was restarted: the dead one is replaced, and what is lost is told', async () => {
  const { a, b, d } = await startNodes(servers, ['a', 'b', 'd']);
  await using store = await openOn([a, b]);
  await using patient = await openOn([a, b], { recopyAfterMs: 600_000 });
  const lost: SessionsLost[] = [];
  store.on('sessions-lost', (event) => lost.push(event));
  await saveSome(store, 10);
  await b.server.kill();
  await a.restart();
  await eventually('it is seen', () => standingOf(store, a) === 'warming');
  const after = await saveSome(store, 10);
  type Step = 'prepare' | 'switch' | 'finish' | 'cancel';
  const step = (name: Step, by = store): Promise<void> =>
    by.setNodes([a, d].map(nameOf), { step: name, timeoutMs: 30_000 });
  // For this one it may be back in a moment.
  await step('prepare', patient);
  await expect(step('switch', patient)).rejects.toMatchObject({
    code: ErrorCode.STORE_DOWN,
    message: expect.stringContaining('came back empty'),
  });
  await step('cancel', patient);
  await patient.close();

  await eventually('it is told', () =>
    lost.some(({ node, cause }) => node === nameOf(b) && cause === 'silent'),
  );
  await step('prepare');
  await eventually('what only the dead one held is given up', async () => {
    return await step('switch').then(
      () => true,
      (error: { readonly code?: string }) => {
        expect(error.code).toBe(ErrorCode.STORE_DOWN);
        return false;
      },
    );
  });
  await step('finish');
  expect(await missingOf(store, after)).toBe(0);
  await eventually('both are filled', () => [a, d].every((node) => standingOf(store, node) === 'filled'));
  await a.server.kill();
  expect(await missingOf(store, after)).toBe(0);
});

test('the node that alone had changes which the other one missed loses its memory: that is told', async () => {
  const { a, b } = await startNodes(servers, ['a', 'b']);
  await using store = await openOn([a, b], { recopyAfterMs: 30_000 });
  const lost: SessionsLost[] = [];
  store.on('sessions-lost', (event) => lost.push(event));
  await saveSome(store, 20);
  await b.server.pause();
  await saveSome(store, 20);
  await eventually('it is known', () => standingOf(store, b) === 'suspect');
  await a.restart();
  await b.server.resume();
  await eventually('both are filled', () => [a, b].every((node) => standingOf(store, node) === 'filled'));
  await eventually('it is told', () => lost.length > 0);
  expect(lost).toEqual([
    expect.objectContaining({ node: nameOf(a), cause: 'unmended', missedBy: [nameOf(b)] }),
  ]);
});

test('the copy that a spare node took lives as long as the session is touched', async () => {
  const { a, b, c } = await startNodes(servers, ['a', 'b', 'c']);
  const nodes = [a, b, c];
  await using saving = await openOn(nodes, { lifetimeMs: 3_600_000 });
  await using touching = await openOn(nodes, { lifetimeMs: 86_400_000, acks: 'all' });
  const [id = '', unsaved = ''] = await saveSome(saving, 2);
  const first = nodes.find((node) => nameOf(node) === saving.holders(id)[0]);
  await first?.server.kill();
  const session = await saving.load(id);
  session.data['again'] = true;
  await saving.save(session);
  await touching.touch(id);
  await touching.touch(unsaved);
  const living = nodes.filter((node) => node !== first);
  for (const node of living) expect(await lives(node, id)).toBeGreaterThan(80_000);
  for (const node of living) expect(await lives(node, unsaved)).toBeGreaterThan(80_000);
});
