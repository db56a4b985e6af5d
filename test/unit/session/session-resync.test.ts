/** Mending where the nodes cannot be asked when an item ends: they speak only the binary protocol, or are too slow. */
import { expect, test, vi } from 'vitest';
import { NodeStandings } from '../../../src/memcached/copies/node-standings.js';
import { resolveSessionOptions } from '../../../src/session/session-options.js';
import { SessionResync, type SessionResyncOptions } from '../../../src/session/session-resync.js';

async function storedByMending(key: string): Promise<readonly unknown[]> {
  const item = { value: Buffer.from('100'), flags: 1, cas: 5n };
  const copy = { role: 'holder', reached: true, standing: 'filled', hint: undefined, tomb: undefined };
  const seen = [
    { ...copy, node: 'a', item },
    { ...copy, node: 'b', item: null },
  ];
  const decision = { kind: 'found', node: 'a', item, behind: ['b'], rivals: [], outlived: [] };
  const stored: unknown[] = [];
  let looks = 0;
  const copies = {
    places: { nodes: [], copies: 2 },
    look: async () => {
      looks += 1;
      return { seen, decision };
    },
    holders: () => [{ id: 'a' }, { id: 'b' }],
    change: async (_key: unknown, make: (current: object) => unknown) =>
      void stored.push(make({ item, rivals: [] })),
  };
  const store = resolveSessionOptions({ nodes: ['127.0.0.1:1', '127.0.0.1:2'], keys: 'all' });
  const mending = new SessionResync({
    store,
    copies,
    addressOf: () => ({ host: '127.0.0.1', port: 1 }),
    standings: new NodeStandings(),
    monitor: {},
    locked: (_key: unknown, _deadline: unknown, work: () => unknown) => work(),
    onConflict: () => undefined,
  } as unknown as SessionResyncOptions);
  // It is taken up anew when it is done, however it was.
  await vi.waitUntil(
    () => {
      mending.mendLater({ key, place: key });
      return looks > 1;
    },
    { interval: 5, timeout: 5_000 },
  );
  return stored.slice(0, 1);
}

test('a session lives on as if it was used now', async () => {
  expect(await storedByMending('memc.sess.key.abc')).toMatchObject([{ exptime: 1_440 }]);
});

test('what is no session keeps its end, which may be none: it is mended when somebody can tell', async () => {
  expect(await storedByMending('counter:of-all-orders')).toEqual([]);
});
