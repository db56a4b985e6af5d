/** The user's functions that the manager calls and waits for; unlike event listeners they are awaited, in order and time-limited. */
import type { NodeId } from '../common/node-address.js';
import type { Verdict } from './change/ask-hook.js';
import type { Evidence } from './detector/evidence.js';
import type { FailureKind } from './failure-kind.js';
import type { FenceResult } from './fence-result.js';
import type { FailoverPlan } from './plan/failover-plan.js';

/** What the detector found wrong with the primary. */
export interface DetectedFailure {
  /**
   * Names this trouble, as this process sees it, until it is over: the same in its journal and in its events. A change that is made
   * because of it has a name of its own.
   */
  readonly opId: string;
  /** What is wrong. */
  readonly kind: FailureKind;
  /** The primary that it is about; null when none was ever known. */
  readonly node: NodeId | null;
  /** The same in words. */
  readonly because: string;
  /** Whether a failover is warranted: the primary is objectively down, confirmed by its replicas. */
  readonly warranted: boolean;
  /** The newest looks at all nodes, oldest first. */
  readonly evidence: readonly Evidence[];
}

/** A change of the primary: in mode `follow` somebody else made it, and the manager saw it. */
export interface FollowedChange {
  /**
   * Names this change. In hooks of the modes that act it is that of the plan, the same in the journal and whoever calls them: use it to
   * do things once. In mode `follow`, and in the event `primary-followed`, it is each process's own: go by `to`.
   */
  readonly opId: string;
  /** The name of the cluster. */
  readonly cluster: string;
  /** The primary before; null when none was ever known. */
  readonly from: NodeId | null;
  /** The primary now. */
  readonly to: NodeId;
  /** Number of the change: grows with every new primary that this process sees. */
  readonly epoch: number;
  /** Why there was no writer before, when there was none. */
  readonly reason: FailureKind | null;
  /**
   * For how long no writer was known, milliseconds; 0 when one followed the other at once, and where the process that made the change
   * died before it called the hooks.
   */
  readonly outageMs: number;
}

/** What a hook gets besides its subject. */
export interface HookContext {
  /** Fires when the hook's time is over or the manager closes. */
  readonly signal: AbortSignal;
  /** When its time is over, monotonic milliseconds. */
  readonly deadline: number;
  /** Adds a line to the journal. */
  readonly log: (message: string) => void;
}

/** A change that this process is about to make, in the modes `approve` and `auto`. */
export interface ChangeInHand extends HookContext {
  /** What will be done. Its `opId` is the same whenever the hook is called again for this change. */
  readonly plan: FailoverPlan;
  /** How often the hook was called for this change, this call included. */
  readonly attempt: number;
}

/** A node whose data must be made anew. The signal fires also when another node than `from` becomes the primary. */
export interface RebuildRequest extends HookContext {
  /** The node. */
  readonly node: NodeId;
  /** The node to copy from. */
  readonly from: NodeId;
  /** Why: it has transactions of its own, or the logs that it needs are gone. */
  readonly why: 'errant' | 'purged';
  /** The transactions that only it has, in the server's notation; '' when none. */
  readonly gtids: string;
}

/**
 * The hooks. In mode `follow` only `onDetected`, `afterPromote` and `afterFailover` are called, by every process, and what one throws
 * is reported as `hook-failed` and stops nothing. In the other modes hooks run in the process that makes the change; a hook that answers
 * `{ veto }`, throws, or is late stops a change that has not passed its point of no return. All may be called again for the same
 * change: its `opId` tells. `afterPromote` and `afterFailover` are called at least once for every change that has made a primary:
 * when its process dies before, the elected one calls its own, a minute later or when it has finished what was left.
 */
export interface FailoverHooks {
  /**
   * Something is wrong with the primary: called for every new kind of trouble, and again when a failover becomes warranted. In the
   * modes `approve` and `auto` in the elected process, and again in one that is elected while it lasts.
   */
  readonly onDetected?: ((event: DetectedFailure & HookContext) => void | Promise<void>) | undefined;
  /** Mode `approve`: whether a failover may be made. Needed there; only `'allow'` means yes, and silence is a veto. */
  readonly approve?: ((change: ChangeInHand) => Verdict | Promise<Verdict>) | undefined;
  /** Before a failover locks anything. */
  readonly beforeFailover?:
    | ((change: ChangeInHand) => Verdict | undefined | Promise<Verdict | undefined>)
    | undefined;
  /** Before a switchover locks anything. */
  readonly beforeSwitchover?:
    | ((change: ChangeInHand) => Verdict | undefined | Promise<Verdict | undefined>)
    | undefined;
  /** Makes sure that the old primary cannot write, by its power switch or its network. Called before a failover promotes. */
  readonly fence?:
    | ((change: ChangeInHand & { readonly node: NodeId }) => FenceResult | Promise<FenceResult>)
    | undefined;
  /**
   * The old primary does not answer, or is fenced, and nothing is promoted yet: the place to copy its binary logs, in which there may be
   * what no replica has received. That it fails, or is late, is reported and holds up nothing; the time that it takes does.
   */
  readonly salvage?: ((change: ChangeInHand & { readonly node: NodeId }) => void | Promise<void>) | undefined;
  /** Writes go to another node from now on: the place to tell service discovery. `epoch` orders the calls. */
  readonly afterPromote?: ((event: FollowedChange & HookContext) => void | Promise<void>) | undefined;
  /** The change is complete; called after `afterPromote` ended. */
  readonly afterFailover?: ((event: FollowedChange & HookContext) => void | Promise<void>) | undefined;
  /** A change was given up: `undone` tells whether everything is as it was. */
  readonly onAborted?:
    | ((
        change: ChangeInHand & { readonly at: string; readonly undone: boolean; readonly error: Error },
      ) => void | Promise<void>)
    | undefined;
  /** Makes a node's data anew from `from`. `'rebuilt'`: it may follow now. */
  readonly rebuild?:
    | ((request: RebuildRequest) => 'rebuilt' | 'skipped' | Promise<'rebuilt' | 'skipped'>)
    | undefined;
}
