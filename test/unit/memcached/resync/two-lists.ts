/** A resync over servers that live in memory while a list of nodes, `a` and `b`, is to become `a` and `d`. */
import { asError } from '../../../../src/common/as-error.js';
import { CopyPlaces } from '../../../../src/memcached/copies/copy-places.js';
import { NodeStandings } from '../../../../src/memcached/copies/node-standings.js';
import type { MemcachedMonitor, MemcachedObservation } from '../../../../src/memcached/memcached-monitor.js';
import type { MemcachedNode } from '../../../../src/memcached/memcached-node.js';
import { askNode, nodeMarks } from '../../../../src/memcached/node-observation.js';
import { Resync } from '../../../../src/memcached/resync/resync.js';
import { Chance, ModelNode, ModelServer, Network } from '../copies/model-world.js';

/** See the head of this file; `connecting` is waited for before a text connection to a node is there. */
export function twoLists(
  recopyAfterMs: number,
  connecting: (node: string, signal: AbortSignal) => Promise<void> = async () => undefined,
) {
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
  const resync = new Resync({
    places,
    standings,
    monitor: {
      check: look,
      checkAll: () => Promise.all(places.nodes.map(look)),
    } as unknown as MemcachedMonitor,
    placeOf: (key) => (key.startsWith('s.') ? key : undefined),
    connect: async (id, signal) => {
      await connecting(id, signal);
      return [a, b, d].find((node) => node.id === id)?.text() as never;
    },
    mend: async () => undefined,
    recopyAfterMs,
    itemsPerSecond: 0,
    operationTimeoutMs: 1_000,
    lookAgainMs: 0,
  });
  const prepare = (): void => places.relist(list, { nodes: [a, d], place: () => [0, 1], ring: 'new' }, true);
  const cancel = (): void => places.relist(list);
  prepare();
  return { network, a, b, d, places, resync, prepare, cancel };
}
