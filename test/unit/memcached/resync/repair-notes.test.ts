import { expect, test } from 'vitest';
import { leaseKey, repairsKey } from '../../../../src/memcached/copies/copy-key.js';
import { decodeDone, decodeUnderWay, noteRepair } from '../../../../src/memcached/resync/repair-notes.js';
import { ResyncLease } from '../../../../src/memcached/resync/resync-lease.js';
import { Chance, ModelNode, ModelServer, Network } from '../copies/model-world.js';

const CALL = { timeoutMs: 1_000 };
const BEGUN = { kind: 'fill', copied: 0, skipped: 0, total: null, elapsedMs: 0 } as const;

function world() {
  const network = new Network(new Chance(7));
  const server = new ModelServer('a');
  const drive = async <T>(work: Promise<T>): Promise<T> => {
    await network.drive(work);
    return await work;
  };
  const node = new ModelNode(server, network);
  const told = () => decodeUnderWay(server.items.get(leaseKey('a'))?.value ?? Buffer.alloc(0));
  return { server, node, drive, told };
}

test('a lease tells what is under way, and from its next renewal on how far', async () => {
  const { node, drive, told } = world();
  const lease = await drive(ResyncLease.take(node, CALL, BEGUN));
  expect(told()).toEqual(BEGUN);
  lease?.tell({ kind: 'fill', copied: 7, skipped: 2, total: 20, elapsedMs: 12.4 });
  expect(told()).toEqual(BEGUN);
  expect(await drive(lease?.renew(CALL) ?? Promise.reject())).toBe(true);
  expect(told()).toEqual({ kind: 'fill', copied: 7, skipped: 2, total: 20, elapsedMs: 12 });
});

test('a lease that is renewed twice at once stays ours, and one that is released meanwhile is gone', async () => {
  const { server, node, drive } = world();
  const lease = (await drive(ResyncLease.take(node, CALL))) as ResyncLease;
  expect(await drive(Promise.all([lease.renew(CALL), lease.renew(CALL)]))).toEqual([true, true]);
  await drive(Promise.all([lease.renew(CALL), lease.release()]));
  expect(server.items.has(leaseKey('a'))).toBe(false);
});

test('repairs are counted on the node that they were done on', async () => {
  const { server, node, drive } = world();
  const done = () => decodeDone(server.items.get(repairsKey('a'))?.value ?? Buffer.alloc(0));
  await drive(noteRepair(node, { kind: 'fill', items: 1600, elapsedMs: 900.2 }, CALL));
  await drive(noteRepair(node, { kind: 'mend', items: 20, elapsedMs: 12 }, CALL));
  expect(done()).toMatchObject({ repairs: 2, items: 1620, lastKind: 'mend', lastItems: 20, lastMs: 12 });
  server.put(repairsKey('a'), Buffer.from('nonsense'), 0);
  await drive(noteRepair(node, { kind: 'fill', items: 3, elapsedMs: 1 }, CALL));
  expect(done()).toMatchObject({ repairs: 1, items: 3 });
});

test.each([
  '',
  '12 ab',
  '12 ab fill 1 2 3',
  '12 ab drop 1 2 3 4',
  '12 ab fill 1 2 3 1e9',
  `12 ab fill ${'9'.repeat(16)} 2 3 4`,
  `${'9'.repeat(10_000)} ab fill 1 2 3 4`,
])('what is no note tells nothing (%#)', (text) => {
  expect(decodeUnderWay(Buffer.from(text))).toBeUndefined();
  expect(decodeDone(Buffer.from(text))).toBeUndefined();
});
