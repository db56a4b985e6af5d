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
  /** Why, in words. */
  readonly because: string;
  /** How improbable its present silence is (phi accrual); for people and graphs, nothing decides by it. */
  readonly phi: number;
}

/** The cluster as the manager sees it. */
export interface ClusterSnapshot {
  /** What the manager may do. */
  readonly mode: FailoverMode;
  /** Who takes writes, as far as this process sees the nodes. */
  readonly writer: WriterState;
  /**
   * The node that a majority of all voters votes for, itself among them, and that may be written to; null while there is none. Absent in
   * mode `follow`, where nobody votes.
   */
  readonly voted?: NodeId | null | undefined;
  /** Grows with every new primary that this process sees. */
  readonly epoch: number;
  /** What is wrong with the primary; null when nothing is. Only two of the kinds can warrant a failover. */
  readonly failure: FailureKind | null;
  /** The same in words, '' when nothing is wrong. */
  readonly because: string;
  /** Whether what this process saw warrants a failover, and why, or why not. In mode `follow` nobody acts on it. */
  readonly failover: { readonly warranted: boolean; readonly because: string };
  /** Whether this process stalled or its clock jumped lately, so that it does not trust what it saw of the nodes. */
  readonly tilted: boolean;
  /** All nodes. */
  readonly nodes: readonly NodeSnapshot[];
}
