/** The errors of statements whose connection, transaction or outcome was lost: they say what is certain and what to do. */
import type { NodeId } from '../common/node-address.js';
import { describeError, ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { RoutingError } from '../topology/routing-error.js';
import type { TopologyDescription } from '../topology/topology-description.js';
import type { Classification, TransactionEffect } from './classifier/classification.js';
import type { Remedy } from './failure-policy.js';
import { classifyServerError } from './server-error.js';
import { pinNames } from './session-pins.js';
import type { SessionState } from './session-state.js';

/** Nothing of the transaction was committed. */
export function transactionGone(node: NodeId, cause: unknown): StormlampError {
  return new StormlampError(
    ErrorCode.TRANSACTION_LOST,
    `The transaction on ${node} is gone, nothing of it was committed: ${describeError(cause)}. ` +
      'Roll back, then run it again from the beginning',
    { cause, node },
  );
}

/** The transaction is over, and a statement inside it may have committed what came before. */
export function transactionUnclear(node: NodeId, cause: unknown): StormlampError {
  return new StormlampError(
    ErrorCode.OUTCOME_UNKNOWN,
    `The transaction on ${node} is over, and a statement inside it may have committed what came before that: ` +
      `${describeError(cause)}. Roll back, and look at the data before doing it again`,
    { cause, node },
  );
}

/** A read-only transaction was left for a statement that begins something else, and that failed. */
export function leftInVain(node: NodeId, cause: unknown): StormlampError {
  return new StormlampError(
    ErrorCode.TRANSACTION_LOST,
    `The read-only transaction on ${node} is gone: it was left for a statement that belongs to the primary and failed there, or on ` +
      `its way: ${describeError(cause)}. Roll back, then run the transaction again from the beginning`,
    { cause, node },
  );
}

/** The session had something on its connection that no other connection has. */
export function connectionGone(node: NodeId, what: string, cause: unknown): StormlampError {
  return new StormlampError(
    ErrorCode.CONNECTION_LOST,
    `The connection to ${node} is gone, and with it what this session had there (${what}): ${describeError(cause)}. ` +
      'Release this connection and take another one',
    { cause, node },
  );
}

/** A procedure that commits and writes would fork a replica's data, even inside a read-only transaction. */
export function notOnReplica(node: NodeId | undefined, { because }: Classification): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    `A statement was not sent, because ${because}, and this read-only transaction is on the replica ${node}; ` +
      'run it outside the transaction, or in a read-write one',
    { node },
  );
}

/** What a read-only transaction left on a replica ties its session there, where this cannot be done. */
export function stuckOnReplica(node: NodeId, what: string, { because }: Classification): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    `A statement was not sent, because ${because}, and what a read-only transaction of this connection left (${what}) is on ` +
      `the replica ${node}; release this connection and take another one, or begin with START TRANSACTION READ WRITE`,
    { node },
  );
}

/** A statement asks about one before it, which was on `node`, and `why` says what keeps it from going there. */
export function askedElsewhere(node: NodeId, why: string): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    `A statement was not sent: it asks about one before it on this connection, which was on ${node}, and ${why}. Run both in a ` +
      'transaction, ask with a plain SELECT at once and use what that answers as a value, or read from the primary before ' +
      "(`preference: 'primary'` of a scope)",
    { node },
  );
}

/** A read of a session that is tied to a replica, or asks about what was done there, which is not as fresh as the read must be; it may go to no other node. */
export function tiedToReplica(
  topology: TopologyDescription,
  node: NodeId,
  { transaction, pins }: SessionState,
  why: string,
): RoutingError {
  const what = pinNames(pins).join(', ');
  const isInside = transaction !== 'none';
  const left = what === '' ? '' : `, where this connection left something (${what})`;
  const tie =
    what === ''
      ? `it asks about the statement before on this connection, which was on ${node}`
      : `what a read-only transaction of this connection left (${what}) ties it to ${node}`;
  const cause = isInside ? `this read-only transaction is on ${node}${left}` : tie;
  const remedy = isInside
    ? 'Roll back and begin it again on another connection, or ask less of its reads when it begins'
    : 'Release this connection and take another one, or ask less of this read';
  const rejected = topology.nodes.map(({ id }) => ({
    node: id,
    reason: id === node ? why : `this connection is tied to ${node}`,
  }));
  return new RoutingError(
    ErrorCode.NO_REPLICA,
    `A read was not sent: ${cause}, and of that node: ${why}. ${remedy} ` +
      "(`maxLagMs`, `preference`, `consistency: 'eventual'` of its scope)",
    topology,
    rejected,
  );
}

/** The server refused a write, and the session cannot go to another one with what it already did. */
export function writeRefused(node: NodeId, cause: unknown, transaction?: TransactionEffect): StormlampError {
  // Done again from the beginning, what is prepared would be there twice.
  const isPrepared = transaction === 'xa-commit' || transaction === 'xa-rollback';
  const advice = isPrepared
    ? 'the transaction is still prepared: send this again on a connection of its own once there is a primary, where `XA RECOVER` shows it'
    : 'run the transaction again from the beginning';
  return new StormlampError(
    ErrorCode.WRITE_REFUSED,
    `${node} refused a write and did not execute it: ${describeError(cause)}. It is not the primary, or no longer; ${advice}`,
    { cause, node },
  );
}

/** The server became read-only in the midst of several statements, or of a procedure. */
function partlyDone(node: NodeId, cause: unknown): StormlampError {
  return new StormlampError(
    ErrorCode.OUTCOME_UNKNOWN,
    `${node} refused a write in the midst of several statements, or of a procedure; what came before it may stand: ` +
      `${describeError(cause)}. Look at the data before doing it again`,
    { cause, node },
  );
}

/** What decides about a whole transaction: whether that happened is what matters, and not why nobody waited for it. */
const DECISIONS: ReadonlyMap<TransactionEffect, string> = new Map([
  ['commit', 'A COMMIT'],
  ['xa-prepare', 'An XA PREPARE'],
  ['xa-commit', 'An XA COMMIT'],
  ['xa-rollback', 'An XA ROLLBACK'],
]);

/**
 * A write was under way when the connection was lost. When the caller's own deadline or signal was the reason, a plain
 * write keeps that error, and the unknown outcome is its cause; a commit, and the end or preparation of a distributed
 * transaction, is always `ERR_OUTCOME_UNKNOWN`.
 */
export function outcomeUnknown(node: NodeId, classification: Classification, cause: unknown): StormlampError {
  const { transaction } = classification;
  const decision = transaction === undefined ? undefined : DECISIONS.get(transaction);
  const stopped = isStormlampError(cause, ErrorCode.TIMEOUT) || isStormlampError(cause, ErrorCode.ABORTED);
  const event = stopped ? 'it was given up' : whatWasLost(cause);
  const unknown = new StormlampError(
    ErrorCode.OUTCOME_UNKNOWN,
    `${decision ?? 'A write'} was under way on ${node} when ${event}; it may or may not have happened: ` +
      `${describeError(cause)}. Look at the data before doing it again`,
    { cause, node },
  );
  if (!stopped || decision !== undefined) return unknown;
  return new StormlampError(
    cause.code,
    `${cause.message}; the write may or may not have happened on ${node}`,
    {
      cause: unknown,
      node,
    },
  );
}

/** Of all errors of a living server, only a member of a Galera cluster answers these to a write that it could not spread. */
function whatWasLost(cause: unknown): string {
  const errno = (cause as { errno?: unknown } | undefined)?.errno;
  return errno === 1180 || errno === 1205
    ? 'it lost the other members of its cluster'
    : 'its connection was lost';
}

/** The error that a caller gets for a statement with this remedy; `loss` is that of the session, when it has one. */
export function lossError(
  remedy: Remedy,
  node: NodeId,
  classification: Classification,
  error: unknown,
  loss: Error | undefined,
): Error {
  switch (remedy) {
    case 'write-refused':
      return writeRefused(node, error, classification.transaction);
    case 'partly-done':
      return partlyDone(node, error);
    case 'outcome-unknown':
      return outcomeUnknown(node, classification, error);
    case 'transaction-lost':
    case 'connection-lost':
      // Who stopped the statement knows; the next one is told what is lost.
      return isStormlampError(error) ? error : (loss ?? (error as Error));
    default:
      return classifyServerError(error).unexecuted === true ? outOfService(node, error) : (error as Error);
  }
}

/** The server runs and takes no statements. */
function outOfService(node: NodeId, cause: unknown): StormlampError {
  return new StormlampError(
    ErrorCode.NODE_UNREACHABLE,
    `${node} is out of service and did not execute the statement: ${describeError(cause)}. ` +
      'A member of a Galera cluster takes statements while it is with the majority and has all data',
    { cause, node },
  );
}
