/** One changes, and before the second node has it somebody else changes what the first one holds: the former must not do it again. */
import { expect, test } from 'vitest';
import { Deadline } from '../../../../src/common/deadline.js';
import type { Repeat } from '../../../../src/memcached/copies/commit-copies.js';
import type { ReplicatedCopies } from '../../../../src/memcached/copies/replicated-copies.js';
import { copiesOn, filledPair } from './filled-pair.js';
import { Chance, ModelNode, Network } from './model-world.js';
import { KEY, SlowNode } from './slow-node.js';

const deadline = Deadline.of(undefined);
type Make = (before: string) => string;
const zero: Make = () => '0';
const one: Make = (before) => String(Number(before) + 1);

/** What is stored in the end, and what the one made that was late on the second node. */
async function play(late: Make, other: Make, repeat: Repeat) {
  const network = new Network(new Chance(7));
  const servers = filledPair();
  const slow = new SlowNode(servers[1], network);
  const mine = copiesOn([new ModelNode(servers[0], network), slow]);
  const theirs = copiesOn(servers.map((server) => new ModelNode(server, network)));
  await network.drive(mine.store(KEY, { value: Buffer.from('2'), exptime: 0 }, deadline));
  const made: string[] = [];
  const change = (copies: ReplicatedCopies, make: Make) =>
    copies.change(
      KEY,
      ({ item, ours }) => {
        const value = ours ? String(made.at(-1)) : make(String(item?.value));
        if (copies === mine && !ours) made.push(value);
        return { value: Buffer.from(value), exptime: 0 };
      },
      deadline,
      undefined,
      repeat,
    );
  slow.hold();
  const first = change(mine, late);
  await network.drive(
    (async () => {
      while (slow.waiting === 0) await slow.version();
    })(),
  );
  await network.drive(change(theirs, other));
  slow.letGo();
  await network.drive(first);
  return { made, stored: servers.map(({ items }) => items.get(KEY.key)?.value.toString()) };
}

test('who counts over a lock that is given back has it: it is not given back once more', async () => {
  expect(await play(zero, one, 'unless-built-on')).toEqual({ made: ['0'], stored: ['1', '1'] });
});

test('who has counted is told what he counted, whoever counts over it', async () => {
  expect(await play(one, one, 'unless-built-on')).toEqual({ made: ['3'], stored: ['4', '4'] });
});

test('what may be made freely is made again of what counts now', async () => {
  expect(await play(one, one, 'freely')).toEqual({ made: ['3', '5'], stored: ['5', '5'] });
});
