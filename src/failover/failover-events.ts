/** What the failover manager tells, after it happened. */
import type { NodeId } from '../common/node-address.js';
import type { Evidence, FollowedChange } from './failover-hooks.js';
import type { FailureKind } from './failure-kind.js';

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
  /** A hook threw, rejected or took too long. */
  'hook-failed': { readonly hook: string; readonly error: Error };
}
