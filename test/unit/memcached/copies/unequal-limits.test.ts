/** Nodes that take values of different sizes, as while `-I` is raised on one after the other. */
import { expect, test } from 'vitest';
import { Deadline } from '../../../../src/common/deadline.js';
import { ErrorCode } from '../../../../src/common/stormlamp-error.js';
import { valueTooLarge } from '../../../../src/memcached/value-too-large.js';
import { copiesOn, filledPair } from './filled-pair.js';
import { Chance, ModelNode, Network } from './model-world.js';

const KEY = { key: 's.1', place: '1' };
const LIMIT = 10;

class SmallNode extends ModelNode {
  override assertFits(_key: string, { length }: { readonly length: number }): void {
    if (length > LIMIT) throw valueTooLarge(this.id, length, LIMIT);
  }

  override set(...call: Parameters<ModelNode['set']>): ReturnType<ModelNode['set']> {
    this.assertFits(call[0], call[1]);
    return super.set(...call);
  }

  override add(...call: Parameters<ModelNode['add']>): ReturnType<ModelNode['add']> {
    // Its notes are no matter here.
    if (call[0] === KEY.key) this.assertFits(call[0], call[1]);
    return super.add(...call);
  }
}

test('what one of them does not take none gets', async () => {
  const network = new Network(new Chance(3));
  const [first, second] = filledPair();
  const copies = copiesOn([new ModelNode(first, network), new SmallNode(second, network)]);
  const store = async (text: string): Promise<string> => {
    const done = copies.store(KEY, { value: Buffer.from(text), exptime: 0 }, Deadline.of(undefined)).then(
      ({ reached }) => reached.join(),
      (error: { readonly code: string }) => error.code,
    );
    await network.drive(done);
    return await done;
  };
  const held = (): unknown[] => [first, second].map((server) => server.items.get(KEY.key)?.value.toString());
  expect(await store('much too large')).toBe(ErrorCode.SESSION_TOO_LARGE);
  expect(held()).toEqual([undefined, undefined]);
  expect(await store('small')).toBe('a,b');
  expect(await store('much too large')).toBe(ErrorCode.SESSION_TOO_LARGE);
  expect(held()).toEqual(['small', 'small']);
});
