/** What a circuit breaker of one node and one class of call looks like from outside; opossum stays behind it. */
import type { NodeId } from '../common/node-address.js';

/** The classes of call that have a breaker of their own, so that a slow write cannot stop reads. */
export type OperationClass = 'connect' | 'read' | 'write' | 'get' | 'set';

/** The phase of a breaker. Times are monotonic milliseconds. */
export type BreakerState =
  | { readonly phase: 'closed' }
  | { readonly phase: 'open'; readonly since: number; readonly reason: string; readonly nextProbeAt: number }
  | { readonly phase: 'half-open'; readonly since: number; readonly successes: number }
  | { readonly phase: 'isolated'; readonly since: number; readonly reason: string };

/** Permission for one call, which the caller must settle exactly once; further calls are ignored. */
export interface BreakerTicket {
  /** The node answered: also for an error that only a living server can send. */
  success(): void;
  /** The call failed; whether that speaks against the node is decided by the error. */
  failure(error: unknown): void;
}

/** A change of phase. */
export interface BreakerChange {
  /** The node whose breaker changed. */
  readonly node: NodeId;
  /** The class of call. */
  readonly operation: OperationClass;
  /** The phase before. */
  readonly before: BreakerState;
  /** The phase after. */
  readonly after: BreakerState;
}

/** Gate in front of one node for one class of call. */
export interface NodeBreaker {
  /** The node behind the gate. */
  readonly node: NodeId;
  /** The class of call that the gate counts. */
  readonly operation: OperationClass;
  /** The present phase. */
  readonly state: BreakerState;
  /** Whether a call may go through now; free to ask. */
  readonly allows: boolean;
  /** When calls were let through again last, monotonic milliseconds; `-Infinity` when they always were. */
  readonly returnedAt: number;
  /**
   * Asks for permission for one call.
   *
   * @throws StormlampError `ERR_BREAKER_OPEN` naming the node and why it is open.
   */
  admit(): BreakerTicket;
  /** Tells what a health probe of the node found; this is what closes an open breaker. */
  probed(outcome: { readonly ok: true } | { readonly ok: false; readonly error: unknown }): void;
  /** Opens the gate at once, for a reason that is shown to callers. */
  open(reason: string): void;
  /** Keeps the gate shut, whatever traffic and probes say, until the returned function is called. */
  isolate(reason: string): () => void;
  /** Stops timers; later calls are let through uncounted. */
  close(): void;
}
