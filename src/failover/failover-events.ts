/** What the failover manager tells, after it happened. */
import type { NodeId } from '../common/node-address.js';
import type { Evidence } from './detector/evidence.js';
import type { DetectedFailure, FollowedChange } from './failover-hooks.js';
import type { FailureKind } from './failure-kind.js';
import type { SentStatement } from './locks/statement-log.js';
import type { NodesManaged } from './managed-nodes.js';
import type { FailoverPlan, PlanStep } from './plan/failover-plan.js';
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
  /** Writes may be sent to `node`; told when they could not before, or went elsewhere. Not in mode `follow`. */
  'lease-gained': { readonly node: NodeId };
  /** No writes may be sent any more; they wait. */
  'lease-lost': { readonly node: NodeId; readonly why: string };
  /** This process begins to make a change. */
  'change-started': { readonly plan: FailoverPlan };
  /** A step of a change begins, or ended. */
  'change-step': {
    readonly opId: string;
    readonly step: PlanStep;
    readonly phase: 'started' | 'finished' | 'failed';
    readonly detail: string;
  };
  /** A statement is sent to a server on the session that holds its locks, or has ended. */
  statement: SentStatement;
  /** A change is complete. */
  'change-done': { readonly plan: FailoverPlan; readonly writeGapMs: number };
  /** A change was given up. */
  'change-aborted': {
    readonly plan: FailoverPlan;
    readonly at: string;
    readonly error: Error;
    readonly clusterState: 'unchanged' | 'undone' | 'unfinished';
  };
  /** A failover would be made, and is not, because of `why`. */
  'failover-blocked': { readonly why: string; readonly reason: FailureKind };
  /** A node has transactions that the primary lacks: it serves nothing until an operator has decided. */
  'node-diverged': { readonly node: NodeId; readonly gtids: string; readonly transactions: number };
  /**
   * A replica that follows was seen to have transactions that its primary lacks; told once, in every mode. `message`: the
   * node, the transactions, whether it serves reads (`mysql.reads.errantReplicas`) and the remedy in words.
   */
  'errant-transactions': { readonly node: NodeId; readonly message: string };
  /**
   * A node's data cannot go on from where it is, because it has transactions of its own (`gtids`) or the logs that it needs are
   * gone: it serves nothing until it is rebuilt. `detail`: what its server says of it, '' when nothing.
   */
  'rebuild-needed': {
    readonly node: NodeId;
    readonly from: NodeId;
    readonly why: 'errant' | 'purged';
    readonly gtids: string;
    readonly detail: string;
  };
  /**
   * A manager that acts by itself has begun, or a replica was found that it makes no plans for. Whoever listens first within a
   * minute is told what came before.
   */
  'nodes-managed': NodesManaged;
  /** This process was elected, or is no longer elected, to act by itself. */
  'leadership-changed': { readonly leads: boolean };
}
