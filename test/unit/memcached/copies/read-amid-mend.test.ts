/**
 * A read that sees the first node's copy before somebody brings it what it missed, and the other node after the hint that said so is
 * taken back: two packets of one read, of which one is late.
 */
import { expect, test } from 'vitest';
import { Deadline } from '../../../../src/common/deadline.js';
import { hintKey } from '../../../../src/memcached/copies/copy-key.js';
import { decodeHint } from '../../../../src/memcached/copies/copy-notes.js';
import { copiesOn, filledPair } from './filled-pair.js';
import { Chance, ModelNode, Network } from './model-world.js';

const KEY = { key: 's.1', place: '1' };
const deadline = Deadline.of(undefined);

/** Its requests are sent when it is let go. */
class HeldNode extends ModelNode {
  letGo: () => void = () => undefined;
  #held = Promise.resolve();

  hold(): void {
    this.#held = new Promise((resolve) => {
      this.letGo = resolve;
    });
  }

  override async getMany(keys: readonly string[]): ReturnType<ModelNode['getMany']> {
    await this.#held;
    return await super.getMany(keys);
  }
}

function world() {
  const network = new Network(new Chance(7));
  const [first, second] = filledPair();
  const wayToFirst = new ModelNode(first, network);
  const seenFirst = new ModelNode(first, network);
  const seenLate = new HeldNode(second, network);
  const writer = copiesOn([wayToFirst, new ModelNode(second, network)]);
  const differing: string[] = [];
  const reader = copiesOn([seenFirst, seenLate], undefined, undefined, ({ key }) => differing.push(key));
  const run = async <T>(work: Promise<T>): Promise<T> => {
    await network.drive(work);
    return await work;
  };
  const store = (text: string) => run(writer.store(KEY, { value: Buffer.from(text), exptime: 0 }, deadline));
  return { first, second, wayToFirst, seenFirst, seenLate, reader, differing, run, store };
}

test('does not show what an acknowledged write had replaced before it began', async () => {
  const { wayToFirst, seenFirst, seenLate, reader, run, store } = world();
  await store('old');
  wayToFirst.link.up = false;
  await store('acknowledged');
  wayToFirst.link.up = true;
  seenLate.hold();
  const read = reader.read(KEY, deadline);
  // Behind the read on the same way.
  await run(seenFirst.version());
  await store('later');
  seenLate.letGo();
  expect((await run(read)).item?.value.toString()).toBe('later');
});

test('what is left in the place of the hint is no hint, and gives way to the next one', async () => {
  const { second, wayToFirst, reader, differing, run, store } = world();
  const note = (): Buffer | undefined => second.items.get(hintKey(KEY.key))?.value;
  await store('old');
  wayToFirst.link.up = false;
  await store('acknowledged');
  expect(decodeHint(note() ?? Buffer.alloc(0))).toBeDefined();
  wayToFirst.link.up = true;
  await store('later');
  expect(note()).toBeDefined();
  expect(decodeHint(note() ?? Buffer.alloc(0))).toBeUndefined();
  await run(reader.read(KEY, deadline));
  expect(differing).toEqual([]);
  wayToFirst.link.up = false;
  await store('missed again');
  expect(decodeHint(note() ?? Buffer.alloc(0))?.missed.has('a')).toBe(true);
});
