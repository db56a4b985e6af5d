/** The port through which somebody else decides whether this process may write at the moment, and to which node. */
import type { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { Classification } from './classifier/classification.js';
import { mayCommit } from './failure-policy.js';
import type { SessionState } from './session-state.js';

/** Asked before every write and after every acknowledgement of one; without a gate, writes follow the topology. */
export interface WriteGate {
  /** The node to write to, also for as long as nothing may be written; undefined while none is known. */
  readonly node: NodeId | undefined;
  /** The node that a majority votes for, also while somebody changes the primary; undefined when there is none. */
  readonly voted: NodeId | undefined;
  /** Whether new work may be sent to `node` now. */
  admits(node: NodeId): boolean;
  /** Whether what is under way on `node` may go on and is acknowledged for certain now. */
  covers(node: NodeId): boolean;
  /**
   * Whether an acknowledgement of `node` that came when the right to write there was over counts all the same: because the
   * right was renewed, or because whoever changed the primary has provably taken everything along. Never rejects.
   */
  settle(node: NodeId, deadline: Deadline): Promise<boolean>;
  /**
   * The node, as soon as new work may be sent to it.
   *
   * Rejects with `ERR_LEASE_LOST` at the deadline, `ERR_ABORTED`, `ERR_CLOSED`, or `ERR_POOL_QUEUE_FULL` when too many wait.
   */
  wait(deadline: Deadline): Promise<NodeId>;
  /** The error of a write that may not be sent, and why it may not. */
  missing(): StormlampError;
}

/** The node that may be written to now, of what the topology says when there is no gate. */
export function admittedWriter(gate: WriteGate | undefined, writer: NodeId | undefined): NodeId | undefined {
  if (gate === undefined) return writer;
  return gate.node !== undefined && gate.admits(gate.node) ? gate.node : undefined;
}

/** Whether a statement needs the gate's leave in a session that is in `state`. */
export function isGated(classification: Classification, state: SessionState): boolean {
  if (state.transaction === 'read-only') return false;
  switch (classification.transaction) {
    case 'rollback':
    case 'savepoint':
    case 'begin-read-only':
      return false;
    case 'commit':
    case 'begin':
    case 'begin-read-write':
    case 'autocommit-on':
    case 'xa-prepare':
    case 'xa-commit':
      return true;
    default:
      return classification.kind === 'write' || classification.kind === 'unknown';
  }
}

/** Whether a write may be sent to the `held` node, or, when none is held, to the gate's own; what is `tied` may end there. */
export function passesGate(gate: WriteGate | undefined, held: NodeId | undefined, tied: boolean): boolean {
  if (gate === undefined) return true;
  if (held !== undefined && tied) return gate.covers(held);
  const node = held ?? gate.node;
  return node !== undefined && gate.admits(node);
}

/** Whether the acknowledgement of a statement tells that something is stored, and not only that it will be. */
export function isPromise(classification: Classification, before: SessionState): boolean {
  const inTransaction = before.transaction !== 'none' || !before.autocommit;
  const { transaction } = classification;
  if (inTransaction || transaction === 'xa-prepare' || transaction === 'xa-commit')
    return mayCommit(classification);
  return classification.kind === 'write' || classification.kind === 'unknown';
}

/** Waits for the right to write, as long as a write waits for a primary. Rejects as {@link WriteGate.wait} does. */
export async function waitAtGate(
  { writeGate, blockMs }: { readonly writeGate: WriteGate | undefined; readonly blockMs: number },
  deadline: Deadline,
): Promise<void> {
  await writeGate?.wait(deadline.within(Math.max(blockMs, 0.001)));
}

/**
 * Looks whether the acknowledgement of a write on `node`, which just came, counts.
 *
 * Rejects with `ERR_OUTCOME_UNKNOWN` when the right to write there had ended and nothing proves that it counts all the same.
 */
export async function settleAnswer(
  { writeGate }: { readonly writeGate: WriteGate | undefined },
  node: NodeId,
  deadline: Deadline,
): Promise<void> {
  if (writeGate === undefined || writeGate.covers(node) || (await writeGate.settle(node, deadline))) return;
  throw new StormlampError(
    ErrorCode.OUTCOME_UNKNOWN,
    `${node} acknowledged a write when the right of this process to write there had ended; another node may have become ` +
      'the primary without it. Look at the data before doing it again',
    { node },
  );
}

/** Why a transaction ends that was under way when another node became the primary; `gated`: certainly without a commit. */
export function writerMoved(writer: NodeId, gated: boolean): Error {
  const message = `${writer} is the primary now`;
  return gated ? new StormlampError(ErrorCode.LEASE_LOST, message) : new Error(message);
}
