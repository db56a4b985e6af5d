/** What a session lost together with its connection, and when it may go on. */
import type { NodeId } from '../common/node-address.js';
import type { Classification } from './classifier/classification.js';
import { connectionGone, transactionGone, transactionUnclear } from './lost-errors.js';
import { pinNames } from './session-pins.js';
import type { SessionState } from './session-state.js';

/** What is gone for good, and the error that every later statement gets. */
export interface SessionLoss {
  /** A transaction is acknowledged by a rollback; anything else only by a reset or a new checkout. */
  readonly what: 'transaction' | 'connection';
  /** The error. */
  readonly error: Error;
  /** What is lost with it, and is told once the transaction is acknowledged. */
  readonly besides?: SessionLoss | undefined;
}

/** What no text shows, in the words of an error. */
const UNSEEN =
  'what a procedure, function or trigger may have left: a named lock, a setting, a variable, a temporary table';

/** What is not certain about a transaction that is lost. */
export interface LossDoubts {
  /** Whether a part of it may have been committed before. */
  readonly mayHaveCommitted: boolean;
  /** Whether a text that failed may have begun one that nobody knows of. */
  readonly mayHaveBegun: boolean;
}

/** What a session in `state` loses with its connection to `node`; undefined when another connection does as well. */
export function lossOf(
  state: SessionState,
  node: NodeId,
  cause: unknown,
  { mayHaveCommitted, mayHaveBegun }: LossDoubts = { mayHaveCommitted: false, mayHaveBegun: false },
): SessionLoss | undefined {
  if (state.pins.length > 0 || !state.autocommit) {
    const pins = state.unseen ? [...pinNames(state.pins), UNSEEN] : pinNames(state.pins);
    const what = state.autocommit ? pins.join(', ') : 'autocommit = 0';
    return { what: 'connection', error: connectionGone(node, what, cause) };
  }
  const unseen: SessionLoss | undefined = state.unseen
    ? { what: 'connection', error: connectionGone(node, UNSEEN, cause) }
    : undefined;
  if (state.transaction === 'none' && !mayHaveBegun) return unseen;
  return { ...transactionLoss(node, cause, mayHaveCommitted), besides: unseen };
}

/** The loss of a transaction that has ended on `node` without being told to. */
export function transactionLoss(node: NodeId, cause: unknown, mayHaveCommitted: boolean): SessionLoss {
  const error = mayHaveCommitted ? transactionUnclear(node, cause) : transactionGone(node, cause);
  return { what: 'transaction', error };
}

/**
 * Whether `classification` is the rollback of the transaction that is already gone.
 *
 * @throws the error of the loss for every other statement.
 */
export function isAcknowledgement(loss: SessionLoss, classification: Classification): boolean {
  const { transaction, several } = classification;
  // What else such a text asks for would be answered as done.
  if (loss.what === 'connection' || transaction !== 'rollback' || several === true) throw loss.error;
  return true;
}

/**
 * The loss after a statement whose outcome is unknown. Whatever became of the transaction, it is over when the statement
 * was to end it; else nothing may follow.
 */
export function afterUnknownOutcome(
  loss: SessionLoss | undefined,
  { transaction, implicitCommit }: Classification,
  error: Error,
): SessionLoss | undefined {
  if (loss?.what !== 'transaction') return loss;
  const ended = transaction === 'commit' || transaction === 'autocommit-on' || implicitCommit;
  return ended ? loss.besides : { what: 'transaction', error, besides: loss.besides };
}
