import { expect, test } from 'vitest';
import { leaseKey } from '../../../../src/memcached/copies/copy-key.js';
import { begunAnewAt, fillMarkerKey } from '../../../../src/memcached/copies/fill-marker.js';
import { markFilled, markNewNodes } from '../../../../src/memcached/resync/mark-filled.js';
import { ResyncLease } from '../../../../src/memcached/resync/resync-lease.js';
import { Chance, ModelNode, ModelServer, Network } from '../copies/model-world.js';

const KEY = fillMarkerKey('ring');
const CALL = { timeoutMs: 1_000 };

function world() {
  const network = new Network(new Chance(7));
  const servers = [new ModelServer('a'), new ModelServer('b')] as const;
  const nodes = servers.map((server) => new ModelNode(server, network)) as [ModelNode, ModelNode];
  const mark = (): Promise<void> => network.drive(markNewNodes(nodes, 'ring', CALL));
  const markers = (): unknown[] => servers.map(({ items }) => items.get(KEY)?.value.toString());
  return { network, servers, nodes, mark, markers };
}

test('new nodes are marked as such, and no lease is left', async () => {
  const { servers, mark, markers } = world();
  await mark();
  expect(markers().map((marker) => begunAnewAt(String(marker)) instanceof Date)).toEqual([true, true]);
  expect(servers.map(({ items }) => [...items.keys()])).toEqual([[KEY], [KEY]]);
});

test('nodes of which one has got items since are not marked', async () => {
  const { servers, mark, markers } = world();
  servers[0].put('s.1', Buffer.from('copied meanwhile'), 0);
  await mark();
  expect(markers()).toEqual([undefined, undefined]);
  servers[0].wipe();
  await mark();
  expect(markers()).not.toContain(undefined);
});

test('a node that another process is at keeps all from being marked', async () => {
  const { servers, nodes, mark, markers } = world();
  servers[1].put(leaseKey('b'), Buffer.from('somebody'), 0);
  await mark();
  expect(markers()).toEqual([undefined, undefined]);
  expect(nodes.map(({ server }) => server.items.has(leaseKey(server.id)))).toEqual([false, true]);
});

test('a node that was flushed after its lease was taken is not marked', async () => {
  const { network, servers, nodes, markers } = world();
  const taking = ResyncLease.take(nodes[0], CALL);
  await network.drive(taking);
  const lease = (await taking) as ResyncLease;
  servers[0].wipe();
  const marking = markFilled({ node: nodes[0], lease }, 'ring', false, CALL);
  await expect(network.drive(marking)).rejects.toMatchObject({ code: 'ERR_NODE_UNREACHABLE' });
  expect(markers()[0]).toBeUndefined();
});
