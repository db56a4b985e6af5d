/** Where programs that know no lease are told to write. */
import type { NodeId } from '../../common/node-address.js';
import { nodeIn, type TopologyDescription } from '../../topology/topology-description.js';
import type { ClusterSnapshot } from '../cluster-snapshot.js';

/**
 * The node that takes writes; undefined while there is none. Where voters vote it is the one that has the votes, if it is also seen to
 * take writes: what is written to one that only looks like the primary is lost when a majority has another one.
 */
export function tierWriter(topology: TopologyDescription, { voted }: ClusterSnapshot): NodeId | undefined {
  const { writer } = topology;
  if (voted === undefined) return writer.kind === 'primary' ? writer.node : undefined;
  const node = voted === null ? undefined : nodeIn(topology, voted);
  return node?.state === 'up' && !node.facts.readOnly ? node.id : undefined;
}

/** Why there is none, in words of one line. */
export function noWriterWords({ writer }: TopologyDescription, { voted, failure }: ClusterSnapshot): string {
  if (failure !== null) return failure;
  return voted === null && writer.kind === 'primary' ? `no majority votes for ${writer.node}` : 'no primary';
}
