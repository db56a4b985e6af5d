/** Two processes that make the same content of what is there, one of them cut off from the first node: each change counts once. */
import { expect, test } from 'vitest';
import { Deadline } from '../../../../src/common/deadline.js';
import type { CurrentContent, ReplicatedCopies } from '../../../../src/memcached/copies/replicated-copies.js';
import { copiesOn, filledPair } from './filled-pair.js';
import { Chance, ModelNode, Network } from './model-world.js';
import { KEY, SlowNode } from './slow-node.js';

const deadline = Deadline.of(undefined);

function world() {
  const network = new Network(new Chance(7));
  const servers = filledPair();
  const slow = new SlowNode(servers[1], network);
  const cut = new ModelNode(servers[0], network);
  cut.link.up = false;
  return {
    network,
    servers,
    slow,
    whole: copiesOn([new ModelNode(servers[0], network), slow]),
    cutOff: copiesOn([cut, new ModelNode(servers[1], network)]),
  };
}

/** One changes, and while it waits for the second node the other one does the same and is told that it is done. */
async function bothChange(
  make: (current: CurrentContent) => string | undefined,
  before: string | undefined,
): Promise<{ readonly done: readonly boolean[]; readonly stored: readonly (string | undefined)[] }> {
  const { network, servers, slow, whole, cutOff } = world();
  const change = async (copies: ReplicatedCopies): Promise<boolean> => {
    let done = false;
    let made: string | undefined;
    await copies.change(
      KEY,
      (current) => {
        if (!current.ours) made = make(current);
        done = made !== undefined;
        return made === undefined ? undefined : { value: Buffer.from(made), exptime: 0 };
      },
      deadline,
      undefined,
      'once',
    );
    return done;
  };
  if (before !== undefined)
    await network.drive(whole.store(KEY, { value: Buffer.from(before), exptime: 0 }, deadline));
  slow.hold();
  const first = change(whole);
  await network.drive(
    (async () => {
      while (slow.waiting === 0) await slow.version();
    })(),
  );
  const second = change(cutOff);
  await network.drive(second);
  slow.letGo();
  await network.drive(first);
  const stored = servers.map(({ items }) => items.get(KEY.key)?.value.toString());
  return { done: [await first, await second], stored };
}

test('both count up: both counts are there', async () => {
  const { done, stored } = await bothChange(({ item }) => String(Number(item?.value) + 1), '4');
  expect(done).toEqual([true, true]);
  expect(stored).toEqual(['6', '6']);
});

test('both add the same where nothing is: one of them has it', async () => {
  const { done, stored } = await bothChange(({ item }) => (item === null ? 'mine' : undefined), undefined);
  expect(done).toEqual([false, true]);
  expect(stored[1]).toBe('mine');
});
