/** The picture of the nodes, with what this process makes of each: the phase of its breakers, and whether it may log in. */
import type { BreakerState } from '../breaker/node-breaker.js';
import type { NodeId } from '../common/node-address.js';
import { describeError } from '../common/stormlamp-error.js';
import type { NodeDescription } from '../topology/node-description.js';
import type { TopologyDescription } from '../topology/topology-description.js';
import type { ClusterNode } from './cluster-node.js';

/** One node as this process sees and uses it. */
export type ClusterNodeDescription = NodeDescription & {
  /** The phase of its breakers; when they differ, the one that lets fewer calls through. */
  readonly breaker: BreakerState['phase'];
  /**
   * Why it let the account of the statements not in when that was tried last, although it answers the monitor: a replica may not
   * have the database yet. Undefined when it did.
   */
  readonly refusal: string | undefined;
};

/** An immutable picture of the cluster, as this process sees and uses it. */
export interface ClusterTopology extends TopologyDescription {
  /** All known nodes, in the order of configuration and discovery. */
  readonly nodes: readonly ClusterNodeDescription[];
}

/** What the view looks at. */
interface ViewedCluster {
  readonly topology: TopologyDescription;
  /** Grows with every change of a breaker. */
  readonly breakerVersion: number;
  node(id: NodeId): ClusterNode;
}

/** Adds what this process makes of the nodes to the picture: the same object until something changes. */
export class TopologyView {
  #last:
    | {
        readonly topology: TopologyDescription;
        readonly version: number;
        readonly refusals: readonly (Error | undefined)[];
        readonly view: ClusterTopology;
      }
    | undefined;

  /** The view of `cluster` as it is now. */
  of(cluster: ViewedCluster): ClusterTopology {
    const { topology, breakerVersion: version } = cluster;
    const last = this.#last;
    const refusals = topology.nodes.map(({ id }) => cluster.node(id).refusal);
    const isSame = last?.topology === topology && last.version === version;
    if (isSame && refusals.every((error, index) => error === last.refusals[index])) return last.view;
    const nodes = topology.nodes.map((node) => Object.freeze({ ...node, ...useOf(cluster.node(node.id)) }));
    const view = Object.freeze({ ...topology, nodes: Object.freeze(nodes) });
    this.#last = { topology, version, refusals, view };
    return view;
  }
}

function useOf(node: ClusterNode): Pick<ClusterNodeDescription, 'breaker' | 'refusal'> {
  const { refusal } = node;
  return { breaker: phaseOf(node), refusal: refusal === undefined ? undefined : describeError(refusal) };
}

/** The phase of a node's breakers; when they differ, the one that lets fewer calls through. */
export function phaseOf(node: ClusterNode): BreakerState['phase'] {
  const phases = Object.values(node.stats().breakers).map(({ phase }) => phase);
  return (['isolated', 'open', 'half-open'] as const).find((phase) => phases.includes(phase)) ?? 'closed';
}
