/** A change of the primary as data: what will be done, where, why, and how it is undone. Making one changes nothing. */
import type { NodeId } from '../../common/node-address.js';
import type { Evidence } from '../detector/evidence.js';
import type { FailureKind } from '../failure-kind.js';
import type { CommitWaits } from './commit-waits.js';

/** The kinds of changes. */
export type PlanKind =
  /** Planned: the primary is alive. */
  | 'switchover'
  /** The primary is dead or cannot be reached. */
  | 'failover'
  /** A former primary becomes a replica. */
  | 'rejoin'
  /** What another process left half done is finished or undone. */
  | 'resume';

/** What a step does besides, or instead of, sending a statement. */
export type StepAction =
  /** One statement; its first column is compared or kept when the step says so. */
  | 'statement'
  /** Locks on a majority of all voters: from here on, leases are short. */
  | 'lock-change'
  /** Makes sure, from a look that is younger than the locks, that the plan would still be the same. */
  | 'look-again'
  /** Until every long lease is over. */
  | 'wait-leases'
  /** The second lock: from here on, no lease is granted. */
  | 'lock-promote'
  /** Until processes have seen that lock and finished what was under way: half of the short lease. */
  | 'wait-writers'
  /** Until no lease lives. */
  | 'wait-handover'
  /** Until a primary that is out of reach has fenced itself: `timeoutMs` after the second lock. */
  | 'wait-fence'
  /** Makes sure of the majority, the candidate first. */
  | 'renew'
  /** Makes sure that the node has executed everything that it received: only then may its relay log go. */
  | 'assert-applied'
  /** Makes sure that no other node that is held has more than the candidate, `mayLack` aside. */
  | 'assert-complete'
  /** Makes sure that the node, when it is held, still refuses writes as it did when the change was planned. */
  | 'assert-closed'
  /** Makes sure that the node has executed exactly what the candidate has: without GTIDs only then it can follow. */
  | 'assert-same'
  /** Makes sure that a majority of all voters is held and, as far as was seen until then, can be made to vote for the new primary. */
  | 'assert-votes'
  /** Makes sure that the node is held: it votes for the new primary already, and nothing is done there. */
  | 'assert-held'
  /** Until a majority votes for the new primary, or nobody else is made to any more: whatever comes next on it keeps nobody from writing. */
  | 'wait-votes'
  /** Makes sure that the reason of the change still holds. */
  | 'confirm'
  /** The user's hook with the name of the step. */
  | 'hook'
  /** Votes of a majority are changed: the locks are freed. */
  | 'release';

/** One step. Steps of one phase run at the same time on different nodes, and in order on the same one. */
export interface PlanStep {
  /** Its name, different from all others of the plan. */
  readonly id: string;
  /** What it belongs to: `prepare`, `freeze`, `drain`, `promote`, `repoint`, … */
  readonly phase: string;
  /** What it does. */
  readonly action: StepAction;
  /** The node that it is about; null for what is about all voters. */
  readonly node: NodeId | null;
  /** The statement; `{name}` stands for what an earlier step has kept under that name. */
  readonly sql?: string | undefined;
  /** Why it is done. */
  readonly why: string;
  /** The statement that takes it back. */
  readonly undo?: string | undefined;
  /** The name under which the first column of the answer is kept. */
  readonly keep?: string | undefined;
  /** The statement is repeated until its first column is this. */
  readonly until?: string | undefined;
  /** The sessions that the statement lists by their numbers (`id`) are ended, each by a `KILL`; who was is told when the step ends. */
  readonly ends?: true | undefined;
  /**
   * Where the server gave up waiting for a lock (1205) and this lists commits that wait for a replica (`waits`), the statement is tried
   * once more, and the sessions that it lists are ended meanwhile: all others before those.
   */
  readonly inTheWay?: string | undefined;
  /**
   * Sent when all that `inTheWay` lists are ended and their commits wait on: ends the waits, so that the statement goes on. `{session}`
   * stands for the number of its session.
   */
  readonly endsWaits?: string | undefined;
  /** The first column must be this, else the step has failed. */
  readonly expect?: string | undefined;
  /** Longest time that it is repeated, milliseconds. */
  readonly timeoutMs?: number | undefined;
  /** What other nodes may have and this one lack, in the server's notation: what no primary wrote, and what a person gives up. */
  readonly mayLack?: string | undefined;
  /** When it fails, the node is left to the next round of repair instead of failing the plan. */
  readonly spares?: boolean | undefined;
  /**
   * When it fails the plan goes on without it, and without what may be left out of the same phase on the same node after it. `alone`:
   * these are left out only when it has waited for long.
   */
  readonly optional?: true | 'alone' | undefined;
  /** From here on the plan is finished, not undone. */
  readonly pointOfNoReturn?: boolean | undefined;
}

/** What a failover is expected to lose. */
export interface ExpectedLoss {
  /** Whether the number is certain. False: the primary may have acknowledged more after it was last seen; `why` says what is not proven. */
  readonly known: boolean;
  /** Transactions that the primary was seen to have and no reachable replica has; null when even that cannot be told. */
  readonly transactions: number | null;
  /** Which, in the server's notation; null when it cannot be told. */
  readonly gtids: string | null;
  /** When the primary was last seen, milliseconds since 1970; null when it never was. What it committed after that is not counted. */
  readonly seenAt: number | null;
  /**
   * For how long after that it may have gone on, milliseconds: until its port was found closed, or, when it is merely silent, until
   * every lease on it is over (the plan being carried out at once). Writers without a lease may go on longer on one that is cut off.
   */
  readonly unseenMs: number;
  /** Why the number is what it is. */
  readonly why: string;
}

/** A node that cannot become the primary. */
export interface ExcludedNode {
  /** The node. */
  readonly node: NodeId;
  /** Why. */
  readonly why: string;
}

/** A change of the primary. */
export interface FailoverPlan {
  /** Names this change: the same in the journal, in the events of the change and in hooks. */
  readonly opId: string;
  /** What kind of change it is. */
  readonly kind: PlanKind;
  /** The change of another process that it finishes or undoes: what is told when it is done is told by that name. */
  readonly continues?: string | undefined;
  /** The cluster. */
  readonly cluster: string;
  /** The epoch that the new primary will have. */
  readonly epoch: number;
  /** The primary before; null when none is known. */
  readonly from: NodeId | null;
  /** The primary after. */
  readonly to: NodeId;
  /** What is wrong; null for a planned change. */
  readonly reason: FailureKind | null;
  /** What was seen. */
  readonly evidence: readonly Evidence[];
  /** Everything that will be done, in order. */
  readonly steps: readonly PlanStep[];
  /** What is expected to be lost; nothing by a switchover. */
  readonly loss: ExpectedLoss;
  /** How commits on the old primary waited for replicas when it was last seen; absent when none waited, or nobody knows. */
  readonly commitWaits?: CommitWaits | undefined;
  /** The nodes that cannot become the primary. */
  readonly excluded: readonly ExcludedNode[];
  /** What an operator should know before. */
  readonly warnings: readonly string[];
}

/** The loss of a change that waits for everything. */
export const NO_LOSS: ExpectedLoss = Object.freeze({
  known: true,
  transactions: 0,
  gtids: '',
  seenAt: null,
  unseenMs: 0,
  why: 'the new primary has everything that the old one has before writes go there',
});
