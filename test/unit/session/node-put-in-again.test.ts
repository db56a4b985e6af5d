/** A node is taken out and put in again; what it said when it was one of the nodes before is of no use by then. */
import { expect, test } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';
import { hintKey, tombKey } from '../../../src/memcached/copies/copy-key.js';
import { ModelProcess } from '../memcached/copies/model-process.js';
import { Chance, ModelServer, Network } from '../memcached/copies/model-world.js';

const KEY = { key: 's.1', place: '1' };

test('a tombstone that it kept does not count against an item that was begun anew while it was out', async () => {
  const network = new Network(new Chance(8));
  const servers = ['n0:11211', 'n1:11211', 'n2:11211'].map((id) => new ModelServer(id));
  const out = servers[1] as ModelServer;
  const lists = { before: [0, 1], after: [0, 2], back: true };
  const who = new ModelProcess(servers, network, lists, () => []);
  const run = async <T>(work: Promise<T>): Promise<T> => {
    await network.drive(work);
    return await work;
  };
  const deadline = Deadline.of(undefined);
  const store = (text: string) =>
    run(who.copies.store(KEY, { value: Buffer.from(`["${text}"]`), exptime: 0 }, deadline));
  const settle = async (): Promise<void> => {
    while ((await run(who.resync())) > 0);
    await run(who.lookAtAll());
  };
  const change = async (): Promise<void> => {
    for (let taken = 0; taken < 3; taken += 1) await run(who.step());
    await settle();
  };
  await settle();
  await store('before');
  const [first] = who.ways;
  if (first !== undefined) first.link.up = false;
  await run(who.copies.delete(KEY, deadline));
  if (first !== undefined) first.link.up = true;
  await settle();
  expect(out.items.has(tombKey(KEY.key))).toBe(true);
  await change();
  await store('begun anew');
  // Of another node, which others were to believe.
  out.put(hintKey(KEY.key), Buffer.from('{"v":1,"key":"s.1","place":"1","missed":[]}'), 0);
  await run(who.step());
  const { item } = await run(who.copies.read(KEY, deadline));
  expect(item?.value.toString()).toBe('["begun anew"]');
  expect([tombKey(KEY.key), hintKey(KEY.key)].filter((key) => out.items.has(key))).toEqual([]);
});
