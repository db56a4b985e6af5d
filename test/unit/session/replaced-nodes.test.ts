/** A process is started with the list of nodes from before a change that the others have finished. */
import { expect, test } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';
import { ModelProcess } from '../memcached/copies/model-process.js';
import { Chance, ModelServer, Network } from '../memcached/copies/model-world.js';

const SESSIONS = 12;
const LISTS = { before: [0, 1], after: [0, 2] };
const deadline = Deadline.of(undefined);

/** Sessions were made by the old list, and half of them ended by the new one. */
async function afterChange() {
  const network = new Network(new Chance(5));
  const servers = ['n0:11211', 'n1:11211', 'n2:11211'].map((id) => new ModelServer(id));
  const run = async <T>(work: Promise<T>): Promise<T> => {
    await network.drive(work);
    return await work;
  };
  const start = () => new ModelProcess(servers, network, LISTS, () => []);
  const settle = async (process: ModelProcess): Promise<void> => {
    for (let round = 0; round < 8 && (await run(process.resync())) > 0; round += 1);
    await run(process.lookAtAll());
  };
  const keys = Array.from({ length: SESSIONS }, (_none, at) => ({ key: `s.${at}`, place: `${at}` }));
  const who = start();
  await settle(who);
  for (const key of keys)
    await run(who.copies.store(key, { value: Buffer.from('["saved"]'), exptime: 0 }, deadline));
  for (let taken = 0; taken < 3; taken += 1) await run(who.step());
  await settle(who);
  const ended = keys.slice(0, SESSIONS / 2);
  for (const key of ended) await run(who.copies.delete(key, deadline));
  const found = async (process: ModelProcess): Promise<readonly string[]> => {
    const read = keys.map(async (key) => [key.key, (await run(process.copies.read(key, deadline))).item]);
    return (await Promise.all(read)).flatMap(([key, item]) => (item === null ? [] : [key as string]));
  };
  const living = keys.slice(SESSIONS / 2).map(({ key }) => key);
  return { run, start, settle, who, keys, found, living };
}

test('it fills nothing from the node that is out, and reads and writes nothing', async () => {
  const { run, start, settle, who, keys, found, living } = await afterChange();
  expect(await found(who)).toEqual(living);
  const late = start();
  await settle(late);
  await settle(who);
  expect(await found(who)).toEqual(living);
  const [key] = keys.slice(-1) as [(typeof keys)[number]];
  const content = { value: Buffer.from('["late"]'), exptime: 0 };
  const replaced = { code: 'ERR_CHANGE_REFUSED', message: expect.stringContaining('n0:11211, n2:11211') };
  await expect(run(late.copies.read(key, deadline))).rejects.toMatchObject(replaced);
  await expect(run(late.copies.store(key, content, deadline))).rejects.toMatchObject(replaced);
  await expect(run(late.copies.delete(key, deadline))).rejects.toMatchObject(replaced);
  await expect(run(late.copies.touch(key, 0, deadline))).rejects.toMatchObject(replaced);
  await expect(run(late.locked('1', async () => undefined))).rejects.toMatchObject(replaced);
  expect(await found(who)).toEqual(living);
});

test('it serves when it has taken the steps of that change, and takes nothing from the others', async () => {
  const { run, start, settle, who, found, living } = await afterChange();
  const late = start();
  await settle(late);
  for (let taken = 0; taken < 2; taken += 1) await run(late.step());
  await run(who.lookAtAll());
  expect(who.nodes.map(({ id }) => who.standings.of(id))).toEqual(['filled', 'filled']);
  expect(await found(late)).toEqual(living);
  await run(late.step());
  await settle(late);
  expect([await found(late), await found(who)]).toEqual([living, living]);
});
