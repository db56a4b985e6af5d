/** A node that started anew, and got an old copy from one that missed a write, before a process has looked at it again. */
import { expect, test } from 'vitest';
import { Deadline } from '../../../../src/common/deadline.js';
import { fillMarkerKey } from '../../../../src/memcached/copies/fill-marker.js';
import { copiesOn, filled } from './filled-pair.js';
import { Chance, ModelNode, Network } from './model-world.js';

const KEY = { key: 's.1', place: '1' };
const OTHER = { key: 's.2', place: '2' };
const deadline = Deadline.of(undefined);

function world() {
  const network = new Network(new Chance(3));
  const servers = ['a', 'b', 'c'].map(filled);
  const place = (): readonly number[] => [0, 1, 2];
  const process = () => {
    const ways = servers.map((server) => new ModelNode(server, network));
    return { ways, copies: copiesOn(ways, place) };
  };
  const run = async <T>(work: Promise<T>): Promise<T> => {
    await network.drive(work);
    return await work;
  };
  return { servers, process, run };
}

test('is not believed by a plain read: what only a spare node has is found', async () => {
  const { servers, process, run } = world();
  const [writer, ...readers] = Array.from({ length: 3 }, process);
  const store = (text: string) =>
    writer?.copies.store(KEY, { value: Buffer.from(text), exptime: 0 }, deadline);
  await run(Promise.resolve(store('old')));
  const wayToSecond = writer?.ways[1];
  if (wayToSecond !== undefined) wayToSecond.link.up = false;
  await run(Promise.resolve(store('acknowledged')));
  const [first, second] = servers;
  const old = second?.items.get(KEY.key);
  expect(old?.value.toString()).toBe('old');
  first?.wipe();
  first?.put(KEY.key, old?.value ?? Buffer.alloc(0), 0);
  const [one, several] = readers;
  for (const { copies } of readers) expect(copies.holders(KEY).map(({ id }) => id)).toEqual(['a', 'b']);
  const found: (string | undefined)[] = [];
  if (one !== undefined) found.push((await run(one.copies.read(KEY, deadline))).item?.value.toString());
  for (const read of several === undefined ? [] : await run(several.copies.readMany([KEY, OTHER], deadline)))
    found.push(read.status === 'fulfilled' ? read.value.item?.value.toString() : 'failed');
  expect(found).toEqual(['acknowledged', 'acknowledged', undefined]);
});

test('a read asks for what says so in the packet of its item, and for a missing one no more', async () => {
  const { servers } = world();
  const packets: (readonly string[])[] = [];
  class CountedNode extends ModelNode {
    override getMany(keys: readonly string[]): ReturnType<ModelNode['getMany']> {
      packets.push(keys);
      return super.getMany(keys);
    }
  }
  const network = new Network(new Chance(3));
  const [first, second] = servers.map((server, index) =>
    index === 0 ? new CountedNode(server, network) : new ModelNode(server, network),
  );
  if (first === undefined || second === undefined) throw new Error('two nodes are wanted');
  const reading = copiesOn([first, second]).read(KEY, deadline);
  await network.drive(reading);
  expect((await reading).item).toBeNull();
  const notes = ['hint', 'tomb'].map((kind) => `stormlamp:${kind}:${KEY.key}`);
  expect(packets).toEqual([[KEY.key, ...notes, fillMarkerKey('ring')]]);
});
