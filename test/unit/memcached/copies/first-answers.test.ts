/** Notes that a read finds about nodes that are out by now. */
import { expect, test } from 'vitest';
import { Deadline } from '../../../../src/common/deadline.js';
import { hintKey } from '../../../../src/memcached/copies/copy-key.js';
import { encodeHint } from '../../../../src/memcached/copies/copy-notes.js';
import { copiesOn, filledPair } from './filled-pair.js';
import { Chance, ModelNode, Network } from './model-world.js';

const KEY = { key: 's.1', place: '1' };

/** Reads an item, of which the server `at` says that `misser` missed it. */
async function read(at: number, misser: string) {
  const network = new Network(new Chance(6));
  const servers = filledPair();
  for (const server of servers) server.put(KEY.key, Buffer.from('same'), 0);
  const missed = new Map([[misser, { superseded: [], lifted: [] }]]);
  servers[at]?.put(hintKey(KEY.key), encodeHint({ ...KEY, missed }), 0);
  const differing: string[] = [];
  const ways = servers.map((server) => new ModelNode(server, network));
  const copies = copiesOn(ways, undefined, undefined, ({ key }) => differing.push(key));
  let asked = 0;
  network.trace = (line) => {
    if (line.includes(` get ${KEY.key} `)) asked += 1;
  };
  const reading = copies.read(KEY, Deadline.of(undefined));
  await network.drive(reading);
  expect((await reading).item?.value.toString()).toBe('same');
  return { asked, differing };
}

test('what one of the nodes missed has it looked for on all of them, or mended', async () => {
  expect(await read(0, 'b')).toEqual({ asked: 1, differing: [KEY.key] });
  expect((await read(1, 'a')).asked).toBeGreaterThan(1);
});

test('what a node missed that is out by now makes no read slow, and is not mended again and again', async () => {
  for (const at of [0, 1]) expect(await read(at, 'out')).toEqual({ asked: 1, differing: [] });
});
