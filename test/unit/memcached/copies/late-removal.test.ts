/** A removal that was held up on its way arrives when the item was created anew. */
import { expect, test } from 'vitest';
import { Deadline } from '../../../../src/common/deadline.js';
import { ErrorCode, StormlampError } from '../../../../src/common/stormlamp-error.js';
import { copiesOn, filledPair } from './filled-pair.js';
import { Chance, ModelNode, Network } from './model-world.js';

const KEY = { key: 's.1', place: '1' };

/** What it is to remove arrives when it is let go, and nobody hears of that. */
class HoldingNode extends ModelNode {
  readonly held: (() => Promise<unknown>)[] = [];

  override delete(key: string, options: { cas?: bigint } = {}): Promise<'deleted' | 'not-found' | 'exists'> {
    this.held.push(() => super.delete(key, options));
    return Promise.reject(new StormlampError(ErrorCode.TIMEOUT, 'late', { node: this.id }));
  }
}

test('it removes what it was sent for, and not what is there by now', async () => {
  const network = new Network(new Chance(1));
  const servers = filledPair();
  const holding = new HoldingNode(servers[0], network);
  const removing = copiesOn([holding, new ModelNode(servers[1], network)]);
  const other = copiesOn(servers.map((server) => new ModelNode(server, network)));
  const deadline = Deadline.of(undefined);
  const done = async <T>(work: Promise<T>): Promise<T> => {
    await network.drive(work);
    return await work;
  };
  await done(other.store(KEY, { value: Buffer.from('old'), exptime: 0 }, deadline));
  expect((await done(removing.delete(KEY, deadline))).reached).toEqual(['b']);
  await done(other.store(KEY, { value: Buffer.from('new'), exptime: 0 }, deadline));
  for (const arrive of holding.held) await done(arrive());
  for (const { items } of servers) expect(items.get(KEY.key)?.value.toString()).toBe('new');
});
