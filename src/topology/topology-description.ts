/** The client's view of all database nodes: an immutable value, replaced as a whole by one pure reducer. */
import type { NodeId } from '../common/node-address.js';
import type { LagRule, PrimaryRecord } from './measured-lag.js';
import type { NodeDescription } from './node-description.js';

/** Who may be written to. */
export type WriterState =
  | { readonly kind: 'primary'; readonly node: NodeId }
  | { readonly kind: 'no-primary' }
  | { readonly kind: 'split-brain'; readonly nodes: readonly NodeId[] };

/** The kinds of trouble that a topology can show. */
export type TopologyWarningCode =
  /** A replica accepts writes of ordinary users. */
  | 'writable-replica'
  /** The primary refuses writes. */
  | 'read-only-primary'
  /** The monitor's account may not see replication. */
  | 'unchecked-replication'
  /** Two nodes have the same `server_id`. */
  | 'duplicate-server-id'
  /** Two servers have the same `server_uuid`: the data directory of one was copied. */
  | 'duplicate-server-uuid'
  /** A node is taken, or would be taken, for the primary although no node follows it. */
  | 'unfollowed-primary'
  /** A former primary is writable although the others follow a newer one. */
  | 'stale-primary'
  /** A writable node without source and followers that nobody configured as primary: it is not used. */
  | 'stray-node'
  /** A server that lives lets the monitor read nothing. */
  | 'blind-monitor'
  /** A replica has transactions that its primary lacks: where that is proven, it serves no reads unless the options let it. */
  | 'errant-transactions'
  /** A replica does not apply, or not get, what its source writes. */
  | 'replication-stopped'
  /** A read-only server that has no source: nothing keeps its data up to date, and it is not used. */
  | 'no-source'
  /** A replica has only a part of the data, because of replication filters, or of errors that it passes over: it serves no reads. */
  | 'partial-replica'
  /** The options name a node that is not known, or not yet. */
  | 'unknown-node';

/** Something that deserves an operator's eye. */
export interface TopologyWarning {
  /** The kind of trouble. */
  readonly code: TopologyWarningCode;
  /** The node that it is about. */
  readonly node: NodeId;
  /** The trouble in words. */
  readonly message: string;
}

/** An immutable picture of the cluster. */
export interface TopologyDescription {
  /** Grows by one whenever the primary is another node than the last known one; the first known primary makes it 1. */
  readonly epoch: number;
  /** All known nodes, in the order of configuration and discovery. */
  readonly nodes: readonly NodeDescription[];
  /** The node that takes writes, or why none does. */
  readonly writer: WriterState;
  /** Present troubles. */
  readonly warnings: readonly TopologyWarning[];
  /** The primary, or the last known one while there is none. */
  readonly lastPrimary?: NodeId | undefined;
  /** Nodes that the options give a part to, whether they are known or not; left out when there are none. */
  readonly named?: readonly NodeId[] | undefined;
  /** How the lag of replicas is known; by what the servers report when it is left out. */
  readonly lagRule?: LagRule | undefined;
  /** Replicas that serve reads although replication filters, or errors that are passed over, keep a part of the data from them. Default: none. */
  readonly partialReplicas?: readonly NodeId[] | 'all' | undefined;
  /** Replicas that serve reads although they have transactions that their primary lacks. Default: none. */
  readonly errantReplicas?: readonly NodeId[] | 'all' | undefined;
  /** @internal The last looks at the primary, kept while lag is measured by them. */
  readonly primaryRecord?: PrimaryRecord | undefined;
}

/** The node called `id`, if it is known. */
export function nodeIn(topology: TopologyDescription, id: NodeId): NodeDescription | undefined {
  return topology.nodes.find((node) => node.id === id);
}
