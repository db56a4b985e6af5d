/** Replicas that were only found: they have the data, and no vote; pure. */
import type { NodeId } from '../common/node-address.js';
import { knownFacts, replicationGraph } from '../topology/replication-graph.js';
import type { TopologyDescription } from '../topology/topology-description.js';

/** A replica that is none of the configured nodes. */
export interface Stranger {
  /** The replica. */
  readonly node: NodeId;
  /** The configured node that its data comes from. */
  readonly source: NodeId;
}

/** The nodes of `topology` that are none of `voters` and get their data from one. No plan looks at them. */
export function strangersOf(topology: TopologyDescription, voters: ReadonlySet<NodeId>): readonly Stranger[] {
  const graph = replicationGraph(topology.nodes);
  return topology.nodes.flatMap((node) => {
    if (voters.has(node.id) || (knownFacts(node)?.channels ?? []).length === 0) return [];
    const source = graph.upstreamOf(node.id).find((each) => voters.has(each));
    return source === undefined ? [] : [{ node: node.id, source }];
  });
}
