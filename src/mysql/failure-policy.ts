/** What may be done about a statement that failed, decided from what is certain: a pure function. */

import { isStormlampError } from '../common/stormlamp-error.js';
import type { Classification } from './classifier/classification.js';
import { isLocalFileError } from './local-file.js';
import type { PhysicalConnection } from './physical-connection.js';
import { classifyServerError, type ServerErrorMeaning } from './server-error.js';
import { changesDatabase, isSetting, isTied, type SessionState } from './session-state.js';
import { goesOnOutside } from './several-statements.js';
import { isUnexecuted } from './unexecuted.js';
import { mayLackIt } from './unknown-there.js';

/** What to do about a failed statement. */
export type Remedy =
  /** The error is about the statement: the caller gets it as it came. */
  | 'pass'
  /** It cannot have had an effect, or its effect does not matter: once more, on another node if there is one. */
  | 'retry-read'
  /** It was certainly not executed: once more, on whichever connection. */
  | 'resend'
  /** The server takes no statements now, and did not execute this one: once more, where the cluster is. */
  | 'retry-in-service'
  /** The server had no room to prepare it, and now it has: once more on the same connection. */
  | 'prepare-again'
  /** The server was not the primary and did not execute it: once more on the node that is. */
  | 'retry-on-primary'
  /** The server does not know what it names, or who may use it: once more on the primary, if this was a replica, which may be behind. */
  | 'ask-primary'
  /** The server refused a write in the midst of a text or procedure: what came before it may stand. */
  | 'partly-done'
  /** The server refused a write, and what came before it cannot be moved to another node. */
  | 'write-refused'
  /** It may or may not have happened. */
  | 'outcome-unknown'
  /** The transaction that it was part of is gone, without a trace. */
  | 'transaction-lost'
  /** The state that the session had on its connection is gone. */
  | 'connection-lost';

/** How a statement failed. */
export interface Failure {
  /** What the error means. */
  readonly meaning: ServerErrorMeaning;
  /** False when the server has certainly not executed it: nothing was written to a socket, or not enough. */
  readonly written: boolean;
  /** Whether a part of the answer has reached the caller. */
  readonly delivered: boolean;
  /** Whether the caller's own limit ended it. */
  readonly interrupted: boolean;
  /** The server's error number, when it answered. */
  readonly errno: number | undefined;
}

/** What the error of a statement on `connection` says; `spreads` when the statement was one that {@link spreadsByItself}. */
export function failureOf(
  error: unknown,
  connection: PhysicalConnection,
  delivered: boolean,
  spreads = false,
): Failure {
  const { errno, code } = error as { errno?: unknown; code?: unknown };
  const meaning = classifyServerError(error, connection.flavor);
  const known: ServerErrorMeaning =
    spreads && errno === 1205 ? { answered: true, connection: 'lost', kind: 'connection-lost' } : meaning;
  return {
    // What neither the server nor the system said comes out of the driver's own parsing: nobody knows what is left to read.
    meaning: known.answered ? known : { ...known, connection: 'lost' },
    // The driver says so when the connection was already closed: it did not even try.
    written:
      known.unexecuted !== true &&
      !isUnexecuted(error) &&
      !(error instanceof Error && /in closed state$/.test(error.message)),
    delivered,
    interrupted:
      (isStormlampError(error) && !isLocalFileError(error)) || code === 'PROTOCOL_SEQUENCE_TIMEOUT',
    errno: typeof errno === 'number' ? errno : undefined,
  };
}

/**
 * Whether a member of a Galera cluster has the others execute a statement before it does so itself. It takes no locks of
 * transactions then, which are ended instead: where it answers all the same that it waited in vain for a lock (1205), it
 * waited for members that it lost, and they may have got the statement.
 */
export function spreadsByItself({ kind, implicitCommit }: Classification): boolean {
  return kind === 'write' && implicitCommit;
}

/** What may be done about the failure of a statement that ran in `state` (as it was before the statement). */
export function remedyFor(classification: Classification, state: SessionState, failure: Failure): Remedy {
  const { meaning, delivered, interrupted } = failure;
  // Of several statements, those before the refused one were executed.
  const written = failure.written || (meaning.unexecuted === true && classification.several === true);
  if (meaning.kind === 'read-only' && meaning.readOnlyRole === true)
    return readOnlyRemedy(classification, state, delivered);
  if (meaning.connection === 'usable')
    return mayBeBehind(classification, state, failure) ? 'ask-primary' : 'pass';
  // The server closes the connection after some answers; they are answers all the same.
  if (meaning.answered && meaning.kind !== 'connection-lost' && meaning.kind !== 'shutdown') return 'pass';
  const isXa = state.pins.some(({ pin }) => pin === 'xa');
  if (state.transaction !== 'none' || !state.autocommit || isXa) {
    return written && mayBeKept(state, classification) ? 'outcome-unknown' : 'transaction-lost';
  }
  const harmless = isHarmless(classification);
  if (written && !harmless) return 'outcome-unknown';
  if (interrupted) return 'pass';
  if (isTied(state)) return 'connection-lost';
  const isAboutLast = state.wrote || classification.route === 'same';
  if (isAboutLast && asksAboutConnection(classification)) return 'pass';
  if (!written) return meaning.unexecuted === true ? 'retry-in-service' : 'resend';
  return delivered ? 'pass' : 'retry-read';
}

/** Whether a read, or `USE`, was answered by a server that may only be behind; nothing ties it to that server. */
function mayBeBehind(classification: Classification, state: SessionState, failure: Failure): boolean {
  if (!mayLackIt(failure.errno) || failure.delivered || isTied(state)) return false;
  const { kind, route } = classification;
  return (
    (kind === 'read' && route === 'replica') || (isSetting(classification) && changesDatabase(classification))
  );
}

/** Whether a statement asks for what earlier ones left on its connection, so that another one would answer something else. */
export function asksAboutConnection({ kind, route, unpins }: Classification): boolean {
  if (kind === 'read') return route !== 'replica';
  return kind === 'session' && route === 'same' && unpins.length === 0;
}

/** Whether a statement outside a transaction leaves nothing behind on a connection that is gone. */
export function isHarmless(classification: Classification): boolean {
  switch (classification.kind) {
    case 'read':
    case 'session':
      return true;
    case 'transaction':
      return !isXaOutcome(classification);
    case 'write':
    case 'unknown':
      return false;
  }
}

/** Whether a statement decides about a distributed transaction, which outlives the connection once it is prepared. */
function isXaOutcome({ transaction }: Classification): boolean {
  return transaction === 'xa-prepare' || transaction === 'xa-commit' || transaction === 'xa-rollback';
}

/** Whether a statement that was sent inside a transaction may have done what stays, or have committed it. */
function mayBeKept(state: SessionState, classification: Classification): boolean {
  if (state.transaction !== 'read-only') return mayCommitIn(state, classification);
  const { kind, implicitCommit } = classification;
  return kind === 'unknown' || (kind === 'write' && (implicitCommit || goesOnOutside(classification)));
}

/** {@link mayCommit} for a session in `state`: to unlock tables commits what was written under the lock. */
export function mayCommitIn({ pins }: SessionState, classification: Classification): boolean {
  if (mayCommit(classification)) return true;
  return classification.unpins.includes('table-lock') && pins.some(({ pin }) => pin === 'table-lock');
}

/** Whether a statement inside a transaction may have committed it before the connection was lost. */
export function mayCommit(classification: Classification): boolean {
  if (classification.implicitCommit || classification.kind === 'unknown') return true;
  switch (classification.transaction) {
    case 'commit':
    case 'begin':
    case 'begin-read-only':
    case 'begin-read-write':
    case 'autocommit-on':
    case 'xa-prepare':
    case 'xa-commit':
    case 'xa-rollback':
      return true;
    // What follows the rollback is committed by itself.
    case 'rollback':
      return goesOnOutside(classification);
    // Of several texts, one may have switched autocommit on before.
    case 'autocommit-off':
      return classification.several === true;
    default:
      return false;
  }
}

/** Whether a statement that succeeded has committed the read-write transaction that was open before it. */
export function hasCommitted(
  before: SessionState,
  classification: Classification,
  after: SessionState,
): boolean {
  if (before.transaction !== 'read-write') return false;
  return classification.kind === 'unknown' ? after.transaction === 'none' : mayCommit(classification);
}

function readOnlyRemedy(classification: Classification, state: SessionState, delivered: boolean): Remedy {
  if (state.transaction === 'read-only') return 'pass';
  // What came before the refused write may have been executed and committed: again it would be done twice.
  const commits = state.transaction === 'none' && state.autocommit;
  if (commits && (classification.several === true || delivered)) return 'partly-done';
  if (isTied(state)) return 'write-refused';
  // A prepared transaction is on the server where it was prepared.
  const isOnlyHere = classification.transaction === 'commit' || isXaOutcome(classification);
  return isOnlyHere ? 'write-refused' : 'retry-on-primary';
}
