/** The picture of the nodes, with what this process makes of each: the phase of its breakers. */
import type { BreakerState } from '../breaker/node-breaker.js';
import type { NodeId } from '../common/node-address.js';
import type { NodeDescription } from '../topology/node-description.js';
import type { TopologyDescription } from '../topology/topology-description.js';

/** One node as this process sees and uses it. */
export type ClusterNodeDescription = NodeDescription & {
  /** The phase of its breakers; when they differ, the one that lets fewer calls through. */
  readonly breaker: BreakerState['phase'];
};

/** An immutable picture of the cluster, as this process sees and uses it. */
export interface ClusterTopology extends TopologyDescription {
  /** All known nodes, in the order of configuration and discovery. */
  readonly nodes: readonly ClusterNodeDescription[];
}

/** Adds the breakers to the picture: the same object until either changes. */
export class TopologyView {
  #last:
    | { readonly topology: TopologyDescription; readonly version: number; readonly view: ClusterTopology }
    | undefined;

  /** @param version grows with every change of a breaker */
  of(
    topology: TopologyDescription,
    version: number,
    breakerOf: (node: NodeId) => BreakerState['phase'],
  ): ClusterTopology {
    if (this.#last?.topology === topology && this.#last.version === version) return this.#last.view;
    const nodes = topology.nodes.map((node) => Object.freeze({ ...node, breaker: breakerOf(node.id) }));
    const view = Object.freeze({ ...topology, nodes: Object.freeze(nodes) });
    this.#last = { topology, version, view };
    return view;
  }
}
