/** The client's view of all database nodes: an immutable value, replaced as a whole by one pure reducer. */
import type { NodeId } from '../common/node-address.js';
import type { NodeDescription } from './node-description.js';

/** Who may be written to. */
export type WriterState =
  | { readonly kind: 'primary'; readonly node: NodeId }
  | { readonly kind: 'no-primary' }
  | { readonly kind: 'split-brain'; readonly nodes: readonly NodeId[] };

/** Something that deserves an operator's eye. */
export interface TopologyWarning {
  /** The kind of trouble. */
  readonly code: 'writable-replica' | 'read-only-primary' | 'unchecked-replication' | 'duplicate-server-id';
  /** The node that it is about. */
  readonly node: NodeId;
  /** The trouble in words. */
  readonly message: string;
}

/** An immutable picture of the cluster. */
export interface TopologyDescription {
  /** Grows by one with every change of the writer. */
  readonly epoch: number;
  /** All known nodes, in the order of configuration and discovery. */
  readonly nodes: readonly NodeDescription[];
  /** The node that takes writes, or why none does. */
  readonly writer: WriterState;
  /** Present troubles. */
  readonly warnings: readonly TopologyWarning[];
}

/** The node called `id`, if it is known. */
export function nodeIn(topology: TopologyDescription, id: NodeId): NodeDescription | undefined {
  return topology.nodes.find((node) => node.id === id);
}
