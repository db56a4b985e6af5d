import { expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../../../src/common/stormlamp-error.js';
import { hintKey, suspectKey, tombKey } from '../../../../src/memcached/copies/copy-key.js';
import { forgetNotes } from '../../../../src/memcached/resync/forget-notes.js';
import { Chance, ModelNode, ModelServer, Network } from '../copies/model-world.js';

async function forget(refusal?: ErrorCode): Promise<readonly string[]> {
  const network = new Network(new Chance(2));
  const server = new ModelServer('a:1');
  const node = new ModelNode(server, network);
  for (const key of ['s.1', hintKey('s.1'), tombKey('s.2'), suspectKey('b:1'), suspectKey('c:1')])
    server.put(key, Buffer.from('1'), 0);
  const work = forgetNotes({
    node,
    others: ['b:1'],
    connect: async () => {
      if (refusal !== undefined) throw new StormlampError(refusal, 'no', { node: node.id });
      return node.text();
    },
    signal: new AbortController().signal,
    timeoutMs: 1_000,
  });
  await network.drive(work);
  return [...server.items.keys()];
}

test('notes about items go, and those about the nodes that are asked for; items stay', async () => {
  expect(await forget()).toEqual(['s.1', suspectKey('c:1')]);
});

test('a node that only speaks the binary protocol keeps those about items, and any other trouble is told', async () => {
  expect(await forget(ErrorCode.UNSUPPORTED)).toEqual([
    's.1',
    hintKey('s.1'),
    tombKey('s.2'),
    suspectKey('c:1'),
  ]);
  await expect(forget(ErrorCode.MEMCACHED)).rejects.toMatchObject({ code: 'ERR_MEMCACHED' });
});
