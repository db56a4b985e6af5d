/** The cluster as the failover manager sees it. */
import type { NodeId } from '../common/node-address.js';
import type { NodeRole } from '../topology/node-description.js';
import type { WriterState } from '../topology/topology-description.js';
import type { FailoverMode } from './failover-options.js';
import type { FailureKind } from './failure-kind.js';
import type { Suspicion } from './suspicion.js';

/** One node as the manager sees it. */
export interface NodeSnapshot {
  /** The node. */
  readonly node: NodeId;
  /** What it is now. */
  readonly role: NodeRole;
  /** How far it is believed to be down. */
  readonly suspicion: Suspicion;
}

/** The cluster as the manager sees it. */
export interface ClusterSnapshot {
  /** What the manager may do. */
  readonly mode: FailoverMode;
  /** Who takes writes. */
  readonly writer: WriterState;
  /** Grows with every new primary that this process sees. */
  readonly epoch: number;
  /** What is wrong, while there is no writer. */
  readonly failure: FailureKind | null;
  /** Whether this process stalled or its clock jumped lately, so that it does not trust what it saw of the nodes. */
  readonly tilted: boolean;
  /** All nodes. */
  readonly nodes: readonly NodeSnapshot[];
}
