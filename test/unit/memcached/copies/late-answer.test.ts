/** The only node that could know of an item did not answer in time, while the other one has just come back empty. */
import { expect, test } from 'vitest';
import { Deadline } from '../../../../src/common/deadline.js';
import { ErrorCode, StormlampError } from '../../../../src/common/stormlamp-error.js';
import { copiesOn, filledPair } from './filled-pair.js';
import { Chance, ModelNode, Network } from './model-world.js';

const KEY = { key: 's.1', place: '1' };

/** Its next answers are late. */
class LateNode extends ModelNode {
  late = 0;
  asked = 0;

  override getMany(keys: readonly string[]): ReturnType<ModelNode['getMany']> {
    this.asked += 1;
    if (this.late === 0) return super.getMany(keys);
    this.late -= 1;
    return Promise.reject(new StormlampError(ErrorCode.TIMEOUT, 'late', { node: this.id }));
  }
}

test.each([
  { late: 1, found: 'x', asked: 2 },
  { late: 2, found: ErrorCode.STORE_DOWN, asked: 2 },
])('it is asked once more: $late late answers are $found', async ({ late, found, asked }) => {
  const network = new Network(new Chance(1));
  const [empty, knowing] = filledPair();
  const second = new LateNode(knowing, network);
  const copies = copiesOn([new ModelNode(empty, network), second]);
  const done = async <T>(work: Promise<T>): Promise<T> => {
    await network.drive(work);
    return await work;
  };
  await done(copies.store(KEY, { value: Buffer.from('x'), exptime: 0 }, Deadline.of(undefined)));
  empty.wipe();
  // It is known to be empty from here on.
  await done(copies.read(KEY, Deadline.of(undefined)));
  second.late = late;
  second.asked = 0;
  const answer = done(copies.read(KEY, Deadline.of(undefined))).then(
    ({ item }) => item?.value.toString(),
    (error: { code?: string }) => error.code,
  );
  expect(await answer).toBe(found);
  expect(second.asked).toBe(asked);
});
