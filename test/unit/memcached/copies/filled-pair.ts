/** Servers that are filled from the beginning, two or more, and processes that keep copies on two of them. */
import type { CopyKey } from '../../../../src/memcached/copies/copy-key.js';
import { fillMarkerKey } from '../../../../src/memcached/copies/fill-marker.js';
import { NodeStandings } from '../../../../src/memcached/copies/node-standings.js';
import { ReplicatedCopies } from '../../../../src/memcached/copies/replicated-copies.js';
import { type ModelNode, ModelServer } from './model-world.js';

const RING = 'ring';
const MARKER = 'filled';

/** The servers `a` and `b`. */
export function filledPair(): readonly [ModelServer, ModelServer] {
  return [filled('a'), filled('b')];
}

/** A server. */
export function filled(id: string): ModelServer {
  const server = new ModelServer(id);
  server.put(fillMarkerKey(RING), Buffer.from(MARKER), 0);
  return server;
}

/** What a process keeps on `nodes`, which are its ways to the servers of a pair; `learn` is what else it knows of them. */
export function copiesOn(
  nodes: readonly ModelNode[],
  place: (place: string) => readonly number[] = () => [0, 1],
  learn: (standings: NodeStandings) => void = () => undefined,
  onDiffering: (key: CopyKey) => void = () => undefined,
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
    onDiffering,
  });
}
