/** What the failover manager tells, after it happened. */
import type { NodeId } from '../common/node-address.js';
import type { Evidence } from './detector/evidence.js';
import type { DetectedFailure, FollowedChange } from './failover-hooks.js';
import type { FailureKind } from './failure-kind.js';
import type { Suspicion } from './suspicion.js';

/** The events of a failover manager. */
export interface FailoverEvents {
  /** Writes go to a new primary that somebody else promoted. */
  'primary-followed': FollowedChange;
  /** No writer is known any more. */
  'primary-lost': {
    readonly opId: string;
    readonly node: NodeId;
    readonly kind: FailureKind;
    readonly epoch: number;
    readonly evidence: readonly Evidence[];
  };
  /** The primary that was lost takes writes again. */
  'primary-returned': {
    readonly opId: string;
    readonly node: NodeId;
    readonly epoch: number;
    readonly outageMs: number;
  };
  /** Several nodes claim to be the primary; writes are refused. */
  'split-brain': { readonly opId: string; readonly nodes: readonly NodeId[]; readonly epoch: number };
  /** Something is wrong with the primary, of another kind than before, or it became bad enough to warrant a failover. */
  'failure-detected': DetectedFailure;
  /** Nothing is wrong any more. */
  'failure-cleared': { readonly opId: string; readonly kind: FailureKind; readonly node: NodeId | null };
  /** A node is believed to be down more, or less, than before. */
  'suspicion-changed': {
    readonly node: NodeId;
    readonly before: Suspicion;
    readonly after: Suspicion;
    readonly because: string;
  };
  /** A hook threw, rejected or took too long. */
  'hook-failed': { readonly hook: string; readonly error: Error };
}
