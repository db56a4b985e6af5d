/** A dead node is replaced while another one of the old list came back empty: `a` and `b`, one of them dead, become `a` and `d`. */
import { expect, test } from 'vitest';
import { asError } from '../../../../src/common/as-error.js';
import { Deadline } from '../../../../src/common/deadline.js';
import { ErrorCode } from '../../../../src/common/stormlamp-error.js';
import { CopyPlaces } from '../../../../src/memcached/copies/copy-places.js';
import { begunAnewAt, fillMarkerKey, newFillMarker } from '../../../../src/memcached/copies/fill-marker.js';
import { NodeStandings } from '../../../../src/memcached/copies/node-standings.js';
import type { MemcachedMonitor, MemcachedObservation } from '../../../../src/memcached/memcached-monitor.js';
import type { MemcachedNode } from '../../../../src/memcached/memcached-node.js';
import { askNode, nodeMarks } from '../../../../src/memcached/node-observation.js';
import { Resync } from '../../../../src/memcached/resync/resync.js';
import type { ResyncOptions } from '../../../../src/memcached/resync/resync-worker.js';
import { Chance, ModelNode, ModelServer, Network } from '../copies/model-world.js';

function world(recopyAfterMs: number) {
  const network = new Network(new Chance(11));
  const [a, b, d] = ['a:1', 'b:1', 'd:1'].map((id) => new ModelNode(new ModelServer(id), network)) as [
    ModelNode,
    ModelNode,
    ModelNode,
  ];
  const standings = new NodeStandings();
  const list = { nodes: [a, b], place: () => [0, 1], ring: 'old' };
  const places = new CopyPlaces(list, 2, standings);
  const look = async (node: MemcachedNode): Promise<MemcachedObservation> => {
    const seen = await askNode(node, nodeMarks('old'), [], {}).then(
      (answer) => ({ ok: true, node: node.id, answer }),
      (error: unknown) => ({ ok: false, node: node.id, error: asError(error) }),
    );
    resync.observed(seen as MemcachedObservation);
    return seen as MemcachedObservation;
  };
  const options: ResyncOptions = {
    places,
    standings,
    monitor: {
      check: look,
      checkAll: () => Promise.all(places.nodes.map(look)),
    } as unknown as MemcachedMonitor,
    placeOf: (key) => (key.startsWith('s.') ? key : undefined),
    connect: async (id) => [a, b, d].find((node) => node.id === id)?.text() as never,
    mend: async () => undefined,
    recopyAfterMs,
    itemsPerSecond: 0,
    operationTimeoutMs: 1_000,
    lookAgainMs: 0,
  };
  const resync = new Resync(options);
  a.server.put('s.1', Buffer.from('since it is back'), 0);
  places.relist(list, { nodes: [a, d], place: () => [0, 1], ring: 'new' }, true);
  const move = async (): Promise<string> => {
    const done = resync.move(true, Deadline.of({ timeoutMs: 60_000 })).then(
      () => 'done',
      (error: { readonly code: string }) => error.code,
    );
    await network.drive(done);
    return await done;
  };
  const marker = ({ server }: ModelNode): string =>
    server.items.get(fillMarkerKey('new'))?.value.toString() ?? '';
  return { a, b, d, move, marker };
}

test('the one that is given up is not waited for, and the node that lost what only that one had says so', async () => {
  const { a, b, d, move, marker } = world(1);
  b.link.up = false;
  let came = await move();
  // It is silent from the first look on.
  for (let turn = 0; came === ErrorCode.STORE_DOWN && turn < 100; turn += 1) came = await move();
  expect(came).toBe('done');
  expect(d.server.items.get('s.1')?.value.toString()).toBe('since it is back');
  expect(begunAnewAt(marker(a))).toBeInstanceOf(Date);
  expect(marker(d)).not.toBe('');
  expect(begunAnewAt(marker(d))).toBeUndefined();
});

test('before that the move is refused, for it may have alone what the other one lost', async () => {
  const { b, move } = world(600_000);
  b.link.up = false;
  expect(await move()).toBe(ErrorCode.STORE_DOWN);
});

test('a node that is filled is moved from without the dead one', async () => {
  const { a, b, d, move, marker } = world(600_000);
  a.server.put(fillMarkerKey('old'), newFillMarker({ pid: 1, startedAt: 1 }), 0);
  b.link.up = false;
  expect(await move()).toBe('done');
  expect(d.server.items.has('s.1')).toBe(true);
  expect(begunAnewAt(marker(a))).toBeUndefined();
});
