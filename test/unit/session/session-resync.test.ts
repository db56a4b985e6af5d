/** Mending where the nodes cannot be asked when an item ends: they speak only the binary protocol, or are too slow. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test, vi } from 'vitest';
import type { CopyKey } from '../../../src/memcached/copies/copy-key.js';
import { NodeStandings } from '../../../src/memcached/copies/node-standings.js';
import { resolveSessionOptions } from '../../../src/session/session-options.js';
import { SessionResync, type SessionResyncOptions } from '../../../src/session/session-resync.js';

/** Mends items that the first of two nodes has alone; `looks` are the keys that were looked at, `stored` what was made of each. */
function mendingOf(port: number) {
  const item = { value: Buffer.from('100'), flags: 1, cas: 5n };
  const copy = { role: 'holder', reached: true, standing: 'filled', hint: undefined, tomb: undefined };
  const seen = [
    { ...copy, node: 'a', item },
    { ...copy, node: 'b', item: null },
  ];
  const decision = { kind: 'found', node: 'a', item, behind: ['b'], rivals: [], outlived: [] };
  const looks: string[] = [];
  const stored: { readonly key: string; readonly content: unknown }[] = [];
  const copies = {
    places: { nodes: [], copies: 2 },
    look: async ({ key }: CopyKey) => {
      looks.push(key);
      return { seen, decision };
    },
    holders: () => [{ id: 'a' }, { id: 'b' }],
    change: async ({ key }: CopyKey, make: (current: object) => unknown) =>
      void stored.push({ key, content: make({ item, rivals: [] }) }),
  };
  const store = resolveSessionOptions({ nodes: ['127.0.0.1:1', '127.0.0.1:2'], keys: 'all' });
  const mending = new SessionResync({
    store,
    copies,
    addressOf: () => ({ host: '127.0.0.1', port }),
    standings: new NodeStandings(),
    monitor: {},
    locked: (_key: unknown, _deadline: unknown, work: () => unknown) => work(),
    onConflict: () => undefined,
  } as unknown as SessionResyncOptions);
  return { mending, looks, stored };
}

/** Reads ask for it again and again, until a session, for which they do so as well, was mended a few times. */
async function mendedAmidReads(
  { mending, stored }: ReturnType<typeof mendingOf>,
  keys: readonly string[],
): Promise<void> {
  await vi.waitUntil(
    () => {
      for (const key of [...keys, SESSION]) mending.mendLater({ key, place: key });
      return stored.length >= 5;
    },
    { interval: 5, timeout: 5_000 },
  );
  await mending.close();
}

const SESSION = 'memc.sess.key.abc';
const COUNTER = 'counter:of-all-orders';

test('a session lives on as if it was used now', async () => {
  const world = mendingOf(1);
  await mendedAmidReads(world, []);
  expect(world.stored[0]).toMatchObject({ key: SESSION, content: { exptime: 1_440 } });
});

test('what is no session keeps its end, which may be none: it is mended when somebody can tell, who is not asked by every read', async () => {
  const world = mendingOf(1);
  await mendedAmidReads(world, [COUNTER]);
  expect(world.stored.filter(({ key }) => key !== SESSION)).toEqual([]);
  expect(world.looks.filter((key) => key === COUNTER)).toEqual([COUNTER]);
});

test('a node that only speaks the binary protocol is not asked again for every item', async () => {
  let asked = 0;
  const binary = createServer((client) => {
    asked += 1;
    client.on('error', () => undefined);
    client.once('data', () => client.end());
  }).listen(0, '127.0.0.1');
  await once(binary, 'listening');
  const world = mendingOf((binary.address() as AddressInfo).port);
  await mendedAmidReads(world, []);
  binary.close();
  expect(world.stored[0]).toMatchObject({ key: SESSION, content: { exptime: 1_440 } });
  expect(asked).toBe(1);
});
