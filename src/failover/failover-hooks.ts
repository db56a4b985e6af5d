/** The user's functions that the manager calls and waits for; unlike event listeners they are awaited, in order and time-limited. */
import type { NodeId } from '../common/node-address.js';
import type { Evidence } from './detector/evidence.js';
import type { FailureKind } from './failure-kind.js';

/** What the detector found wrong with the primary. */
export interface DetectedFailure {
  /** Names this trouble; the same in the journal, in events and in all hooks. */
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
  /** Names this change; the same in the journal, in events and in all hooks: use it to do things once. */
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
  /** For how long no writer was known, milliseconds; 0 when one followed the other at once. */
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

/** The hooks. What one throws is reported as `hook-failed` and stops nothing. */
export interface FailoverHooks {
  /** Something is wrong with the primary: called for every new kind of trouble, and again when a failover becomes warranted. */
  readonly onDetected?: ((event: DetectedFailure & HookContext) => void | Promise<void>) | undefined;
  /** Writes go to another node from now on: the place to tell service discovery. */
  readonly afterPromote?: ((event: FollowedChange & HookContext) => void | Promise<void>) | undefined;
  /** The change is complete; called after `afterPromote` ended. */
  readonly afterFailover?: ((event: FollowedChange & HookContext) => void | Promise<void>) | undefined;
}
