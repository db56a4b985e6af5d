import { beforeEach, describe, expect, test } from 'vitest';
import { Deadline } from '../../../../src/common/deadline.js';
import { hintKey, tombKey } from '../../../../src/memcached/copies/copy-key.js';
import { fillMarkerKey } from '../../../../src/memcached/copies/fill-marker.js';
import { NodeStandings } from '../../../../src/memcached/copies/node-standings.js';
import { ReplicatedCopies } from '../../../../src/memcached/copies/replicated-copies.js';
import type { MemcachedItem } from '../../../../src/memcached/memcached-node.js';
import { Chance, ModelNode, ModelServer, Network } from './model-world.js';

const KEY = { key: 'k', place: '0' };
const LEFT = { value: Buffer.from('left'), exptime: 30 };
const deadline = (): Deadline => Deadline.of(undefined);
const isOurs = (item: MemcachedItem): boolean => item.value.toString() === 'ours';

let network: Network;
let nodes: ModelNode[];
let copies: ReplicatedCopies;
/** The requests that arrived, as `node command`. */
let seen: string[];

beforeEach(() => {
  network = new Network(new Chance(7));
  nodes = ['a', 'b'].map((id) => new ModelNode(new ModelServer(id), network));
  const standings = new NodeStandings();
  for (const { server } of nodes) {
    server.put(fillMarkerKey('ring'), Buffer.from('marker'), 0);
    standings.learnMarker(server.id, 'marker');
  }
  copies = new ReplicatedCopies({
    nodes,
    place: (place) => [Number(place), 1 - Number(place)],
    copies: 2,
    ring: 'ring',
    standings,
    operationTimeoutMs: 1_000,
    noteLifetimeMs: 100_000,
    giveUpMs: 30_000,
  });
  seen = [];
  network.trace = (line) => void seen.push(line.split(' ').slice(1, 3).join(' '));
});

async function run<T>(work: Promise<T>): Promise<T> {
  await network.drive(work);
  return work;
}

const value = (place: number, key = KEY.key): string | undefined =>
  nodes[place]?.server.items.get(key)?.value.toString();

async function storeOurs(): Promise<ReadonlyMap<string, bigint>> {
  const content = { value: Buffer.from('ours'), exptime: 30 };
  const report = await run(copies.change(KEY, () => content, deadline()));
  seen.length = 0;
  return report?.versions ?? new Map();
}

describe('copies whose versions are known', () => {
  test('are removed with one request to each node', async () => {
    const versions = await storeOurs();
    expect([...versions.keys()]).toEqual(['a', 'b']);
    const report = await run(copies.release(KEY, isOurs, LEFT, deadline(), versions));
    expect(report).toEqual({ reached: ['a', 'b'], missed: [], found: true });
    expect(seen.sort()).toEqual(['a delete', 'b delete']);
    expect([value(0), value(1)]).toEqual([undefined, undefined]);
  });

  test('are not removed where somebody else put his own in their place', async () => {
    const versions = await storeOurs();
    for (const { server } of nodes) server.put(KEY.key, Buffer.from('theirs'), 0);
    const report = await run(copies.release(KEY, isOurs, LEFT, deadline(), versions));
    expect(report.found).toBe(false);
    expect([value(0), value(1)]).toEqual(['theirs', 'theirs']);
  });

  test('leave a note in the place of the one that went where the other could not be reached', async () => {
    const versions = await storeOurs();
    const [a, b] = nodes as [ModelNode, ModelNode];
    b.link.up = false;
    const report = await run(copies.release(KEY, isOurs, LEFT, deadline(), versions));
    expect(report).toMatchObject({ reached: ['a'], found: true });
    expect(value(0)).toBe('left');
    expect(a.server.items.has(hintKey(KEY.key))).toBe(true);
  });

  test('are looked at where a node is not known to be filled any more', async () => {
    const versions = await storeOurs();
    for (const { server } of nodes) server.items.delete(fillMarkerKey('ring'));
    // A miss makes sure of the marker, and finds that there is none.
    await run(copies.read({ key: 'other', place: '0' }, deadline()));
    seen.length = 0;
    await run(copies.release(KEY, isOurs, LEFT, deadline(), versions));
    expect(seen).toContain('a get');
  });
});

describe('a change of copies that were looked at before', () => {
  const next = { value: Buffer.from('next'), exptime: 30 };

  test('asks for nothing again', async () => {
    await storeOurs();
    const before = await run(copies.readToChange(KEY, deadline()));
    expect(before.read.item?.value.toString()).toBe('ours');
    seen.length = 0;
    await run(copies.change(KEY, () => next, deadline(), before.seen));
    expect(seen).toEqual(['a set', 'b set']);
    expect([value(0), value(1)]).toEqual(['next', 'next']);
  });

  test('meets whoever was faster on either node', async () => {
    for (const place of [0, 1]) {
      await storeOurs();
      const before = await run(copies.readToChange(KEY, deadline()));
      nodes[place]?.server.put(KEY.key, Buffer.from(`faster on ${place}`), 0);
      const met: (string | undefined)[] = [];
      await run(
        copies.change(
          KEY,
          ({ item }) => {
            met.push(item?.value.toString());
            return next;
          },
          deadline(),
          before.seen,
        ),
      );
      expect(met.length).toBeGreaterThan(1);
      expect([value(0), value(1)]).toEqual(['next', 'next']);
    }
  });

  test('does not bring back what was destroyed meanwhile', async () => {
    await storeOurs();
    const before = await run(copies.readToChange(KEY, deadline()));
    await run(copies.delete(KEY, deadline()));
    const report = await run(
      copies.change(KEY, ({ item }) => (item === null ? undefined : next), deadline(), before.seen),
    );
    expect(report).toBeUndefined();
    expect([value(0), value(1)]).toEqual([undefined, undefined]);
  });

  test('looks again where a copy had a note', async () => {
    await storeOurs();
    nodes[1]?.server.put(tombKey(KEY.key), Buffer.from(JSON.stringify({ v: 1, ...KEY, id: 'x' })), 0);
    const before = await run(copies.readToChange(KEY, deadline()));
    seen.length = 0;
    await run(copies.change(KEY, () => next, deadline(), before.seen));
    expect(seen).toContain('a get');
  });
});

test('several items are read with one packet to each node, and come out as if they were read alone', async () => {
  const keys = Array.from({ length: 6 }, (_, index) => ({ key: `k${index}`, place: String(index % 2) }));
  for (const key of keys.slice(0, 4))
    await run(copies.store(key, { value: Buffer.from(key.key), exptime: 0 }, deadline()));
  // One of them was destroyed where not everybody noticed.
  nodes[1]?.server.put(tombKey('k2'), Buffer.from(JSON.stringify({ v: 1, ...keys[2], id: 'x' })), 0);
  const alone: (string | undefined)[] = [];
  for (const key of keys) alone.push((await run(copies.read(key, deadline()))).item?.value.toString());
  const many = await run(copies.readMany(keys, deadline()));
  const together = many.map((one) =>
    one.status === 'fulfilled' ? one.value.item?.value.toString() : one.reason,
  );
  expect(together).toEqual(alone);
  expect(together).toEqual(['k0', 'k1', undefined, 'k3', undefined, undefined]);
});

test('an item that cannot be read does not take the others with it', async () => {
  await storeOurs();
  for (const { link } of nodes) link.up = false;
  const [one] = await run(copies.readMany([KEY], deadline()));
  expect(one).toMatchObject({ status: 'rejected', reason: { code: 'ERR_STORE_DOWN' } });
});
