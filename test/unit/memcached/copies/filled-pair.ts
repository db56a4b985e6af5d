/** Two servers that are filled from the beginning, and processes that keep copies on both. */
import { fillMarkerKey } from '../../../../src/memcached/copies/fill-marker.js';
import { NodeStandings } from '../../../../src/memcached/copies/node-standings.js';
import { ReplicatedCopies } from '../../../../src/memcached/copies/replicated-copies.js';
import { type ModelNode, ModelServer } from './model-world.js';

const RING = 'ring';
const MARKER = 'filled';

/** The servers `a` and `b`. */
export function filledPair(): readonly [ModelServer, ModelServer] {
  const servers = [new ModelServer('a'), new ModelServer('b')] as const;
  for (const server of servers) server.put(fillMarkerKey(RING), Buffer.from(MARKER), 0);
  return servers;
}

/** What a process keeps on `nodes`, which are its ways to the servers of a pair; `learn` is what else it knows of them. */
export function copiesOn(
  nodes: readonly ModelNode[],
  place: (place: string) => readonly number[] = () => [0, 1],
  learn: (standings: NodeStandings) => void = () => undefined,
): ReplicatedCopies {
  const standings = new NodeStandings();
  for (const { id } of nodes) standings.learnMarker(id, MARKER);
  learn(standings);
  return new ReplicatedCopies({
    nodes,
    place,
    copies: 2,
    ring: RING,
    standings,
    operationTimeoutMs: 1_000,
    noteLifetimeMs: 1_000_000,
    giveUpMs: Number.POSITIVE_INFINITY,
  });
}
