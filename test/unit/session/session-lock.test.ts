/** Where a session lock is taken while processes do not know the same of the nodes. */
import { beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/common/clock.js';
import { Deadline } from '../../../src/common/deadline.js';
import { CopyPlaces, type NodeList } from '../../../src/memcached/copies/copy-places.js';
import { NodeStandings } from '../../../src/memcached/copies/node-standings.js';
import { takeOnNodes } from '../../../src/memcached/copies/take-on-nodes.js';
import type { MemcachedItem, MemcachedNode } from '../../../src/memcached/memcached-node.js';
import { memcachedLock } from '../../../src/session/lock-protocol.js';
import { releasedLock } from '../../../src/session/released-lock.js';
import { type SessionLockOptions, SessionLocks } from '../../../src/session/session-lock.js';
import { copiesOn, filledPair } from '../memcached/copies/filled-pair.js';
import { Chance, ModelNode, ModelServer, Network } from '../memcached/copies/model-world.js';

const LOCK = { key: 'lock.s', place: '0' };
const deadline = (): Deadline => Deadline.of(undefined);

let network: Network;
let servers: readonly [ModelServer, ModelServer];
beforeEach(() => {
  network = new Network(new Chance(5));
  servers = filledPair();
});

/** A process, with what it knows of the nodes. */
function process(
  learn: (standings: NodeStandings) => void = () => undefined,
  more: Partial<SessionLockOptions> = {},
) {
  const nodes = servers.map((server) => new ModelNode(server, network));
  const copies = copiesOn(nodes, undefined, learn);
  const locks = new SessionLocks(copies, {
    protocol: memcachedLock(30_000),
    waitMs: 20,
    breakMs: 0,
    endsByItself: async () => undefined,
    onBroken: () => undefined,
    onLost: () => undefined,
    ...more,
  });
  const acquire = async () => {
    const held = locks.acquire(LOCK, deadline());
    await network.drive(held);
    return await held;
  };
  return { nodes, copies, acquire };
}

const lockedOn = (): string => servers.flatMap(({ id, items }) => (items.has(LOCK.key) ? [id] : [])).join('');

test('a session is locked on its first node as long as all are known to be complete', async () => {
  await process().acquire();
  expect(lockedOn()).toBe('a');
});

test.each([
  ['one that missed writes', (known: NodeStandings) => known.suspect('a', 'b')],
  ['one that is being filled', (known: NodeStandings) => known.learnMarker('a', undefined)],
  ['the other one', (known: NodeStandings) => known.learnMarker('b', undefined)],
])(
  'a session is locked on every node while %s is not: whoever does not know that, or reaches only one, waits',
  async (_which, learn) => {
    const held = await process(learn).acquire();
    expect(lockedOn()).toBe('ab');
    const unaware = process();
    await expect(unaware.acquire()).rejects.toThrow('kept the session locked');
    const cutOff = process(learn);
    if (cutOff.nodes[0] !== undefined) cutOff.nodes[0].link.up = false;
    await expect(cutOff.acquire()).rejects.toThrow('kept the session locked');
    await network.drive(held.release());
    expect(lockedOn()).toBe('');
    await unaware.acquire();
    expect(lockedOn()).toBe('a');
  },
);

test('what was locked on one node is given back when the other one cannot be had', async () => {
  const only = process();
  if (only.nodes[0] !== undefined) only.nodes[0].link.up = false;
  await only.acquire();
  expect(lockedOn()).toBe('b');
  await expect(process((known) => known.suspect('a', 'b')).acquire()).rejects.toThrow(
    'kept the session locked',
  );
  expect(lockedOn()).toBe('b');
});

test('what was taken on one node is not taken again while the other one is waited for', async () => {
  const { copies } = process((known) => known.suspect('a', 'b'));
  const asked: string[] = [];
  const held = new Map<string, string>();
  const take = async (node: MemcachedNode): Promise<string | undefined> => {
    asked.push(node.id);
    return node.id === 'a' || asked.length > 2 ? node.id : undefined;
  };
  const taking = { key: LOCK, held, take, every: true };
  expect(await takeOnNodes(copies.places, taking, deadline())).toBe(false);
  expect(await takeOnNodes(copies.places, taking, deadline())).toBe(true);
  expect([asked, [...held.keys()]]).toEqual([
    ['a', 'b', 'b'],
    ['a', 'b'],
  ]);
});

test('what can be had on one node only is taken on none that others cannot reach, and on another one when that is down', async () => {
  const taken = async ({ copies, nodes }: ReturnType<typeof process>, down?: number): Promise<string> => {
    const place = down === undefined ? undefined : nodes[down];
    if (place !== undefined) place.link.up = false;
    const held = new Map<string, string>();
    const take = (node: MemcachedNode) => node.version().then(() => node.id);
    const work = takeOnNodes(copies.places, { key: LOCK, held, take, every: false }, deadline());
    await network.drive(work);
    return [...held.keys()].join('');
  };
  expect(await taken(process())).toBe('a');
  expect(await taken(process((known) => known.suspect('a', 'b')))).toBe('b');
  expect(
    await taken(
      process((known) => known.suspect('a', 'b')),
      1,
    ),
  ).toBe('a');
});

test('a lock that was given back while its first node could not be reached keeps nobody out there', async () => {
  const gateway = process();
  const lock = Buffer.from('1 of a gateway');
  const took = gateway.copies.store(LOCK, { value: lock, exptime: 30 }, deadline());
  await network.drive(took);
  if (gateway.nodes[0] !== undefined) gateway.nodes[0].link.up = false;
  const ours = ({ value }: MemcachedItem): boolean => value.equals(lock);
  await network.drive(gateway.copies.release(LOCK, ours, releasedLock(30), deadline()));
  expect(servers[0].items.get(LOCK.key)?.value).toEqual(lock);
  // The other node may be asked first, and have another lock by now.
  for (const first of ['', 'b']) {
    const next = process((known) => known.suspect('a', 'b'));
    if (first === 'b') servers[0].put(LOCK.key, lock, 0);
    const held = await next.acquire();
    expect(lockedOn()).toBe('ab');
    await network.drive(held.release());
    expect(servers[0].items.has(LOCK.key)).toBe(false);
  }
});

test('a lock of somebody who knows of no note is kept, whatever the other node says', async () => {
  servers[0].put(LOCK.key, Buffer.from('1'), 0);
  servers[1].put(LOCK.key, releasedLock(30).value, 0);
  await expect(process((known) => known.suspect('a', 'b')).acquire()).rejects.toThrow(
    'kept the session locked',
  );
});

test('who goes by another list of nodes takes the locks in the same order', () => {
  const all = ['a', 'b', 'c'].map((id) => new ModelNode(new ModelServer(id), network));
  const list = (...places: readonly number[]) => {
    const nodes = places.flatMap((place) => all[place] ?? []);
    return { nodes, place: () => nodes.map((_node, index) => index), ring: places.join() };
  };
  const order = (deciding: NodeList, other?: NodeList): string => {
    const copyPlaces = new CopyPlaces(deciding, 2, new NodeStandings());
    copyPlaces.relist(deciding, other, true);
    return copyPlaces
      .inOneOrder(LOCK)
      .map(({ id }) => id)
      .join('');
  };
  const [old, next] = [list(2, 1), list(0, 1)];
  expect([order(old), order(old, next), order(next, old), order(next)]).toEqual(['bc', 'abc', 'abc', 'ab']);
});

describe('a lock of somebody else that has been there for the whole bound', () => {
  const BOUND_MS = 60_000;

  async function waitFor(ends: boolean | undefined) {
    let now = 0;
    const [asked, broken]: [string[], unknown[]] = [[], []];
    const { acquire } = process(undefined, {
      breakMs: BOUND_MS,
      clock: { ...systemClock, now: () => now },
      endsByItself: async (node, key) => {
        asked.push(`${key} on ${node}`);
        return ends;
      },
      onBroken: (event) => void broken.push(event),
    });
    servers[0].put(LOCK.key, Buffer.from('1'), 0);
    const outcomes: string[] = [];
    // Twice within the bound, and after it; the clock does not go on while one waits.
    for (const at of [0, BOUND_MS - 1, BOUND_MS, BOUND_MS + 1_000]) {
      now = at;
      outcomes.push(
        await acquire().then(
          () => 'taken',
          (error: { code: string }) => error.code,
        ),
      );
      if (outcomes.at(-1) === 'taken') break;
    }
    return { outcomes, asked, broken };
  }
  const [LOCKED, ASKED] = ['ERR_SESSION_LOCKED', 'lock.s on a'];

  test('is that of a page at work where it ends by itself: it stays, and is not asked about for as long again', async () => {
    expect(await waitFor(true)).toEqual({
      outcomes: [LOCKED, LOCKED, LOCKED, LOCKED],
      asked: [ASKED],
      broken: [],
    });
  });

  test('is left behind where it never ends, or nobody can tell', async () => {
    expect(await waitFor(false)).toEqual({
      outcomes: [LOCKED, LOCKED, 'taken'],
      asked: [ASKED],
      broken: [{ node: 'a', heldMs: BOUND_MS }],
    });
  });

  test('stays while the node does not say, which is asked again', async () => {
    expect(await waitFor(undefined)).toEqual({
      outcomes: [LOCKED, LOCKED, LOCKED, LOCKED],
      asked: [ASKED, ASKED],
      broken: [],
    });
  });
});

test('nothing can be locked where no node can be reached', async () => {
  const { nodes, acquire } = process();
  for (const { link } of nodes) link.up = false;
  await expect(acquire()).rejects.toMatchObject({ code: 'ERR_STORE_DOWN' });
});
