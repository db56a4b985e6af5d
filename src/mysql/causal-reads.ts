/** Keeps what a scope wrote, and makes sure that a connection has it before a read of the scope is sent. */
import type { NodeId } from '../common/node-address.js';
import type { GtidPosition } from '../topology/gtid-position.js';
import type { Classification } from './classifier/classification.js';
import { mayCommitIn } from './failure-policy.js';
import { readPosition, waitForCluster, waitForGtids } from './gtid-wait.js';
import type { PhysicalConnection } from './physical-connection.js';
import type { ActiveScope } from './scope.js';
import type { CallContext, SessionPorts } from './session-ports.js';
import type { SessionState } from './session-state.js';
import type { StatementAnswer } from './statement.js';
import { writtenGtids } from './written-gtids.js';

/**
 * Brings `connection` to where a read of the scope needs it: waits on a replica for `waitFor`, or asks the primary for its
 * position when something was written untold. Whether the read may be sent there; if not, it belongs to another node.
 *
 * Rejects when the connection is lost or the deadline passes; it must not be used again then.
 */
export async function catchUp(
  ports: SessionPorts,
  connection: PhysicalConnection,
  waitFor: GtidPosition | undefined,
  { scope, deadline }: CallContext,
  hasWaited: boolean,
): Promise<boolean> {
  if (scope === undefined) return true;
  // Who has waited in vain is at the primary now, where nothing else helps.
  if (!hasWaited && ports.router.hasBarrier(connection.node))
    return await waitForCluster(connection, scope.waitMs, deadline);
  if (waitFor === undefined) {
    if (!scope.wantsPosition || connection.node !== ports.router.writer) return true;
    const take = scope.causal.beginPosition();
    take(await readPosition(connection, deadline));
    return true;
  }
  const { positions } = ports.router;
  const endWait = positions.beginWait(connection.node);
  try {
    const isThere = await waitForGtids(connection, waitFor, scope.waitMs, deadline);
    if (isThere) positions.learn(connection.node, waitFor);
    return isThere;
  } finally {
    endWait();
  }
}

/** Whether a read of the scope needs {@link catchUp} on the node that was chosen for it. */
export function mustCatchUp(
  ports: SessionPorts,
  node: NodeId,
  scope: ActiveScope | undefined,
  waitFor: GtidPosition | undefined,
): boolean {
  if (scope === undefined) return false;
  if (waitFor !== undefined || scope.wantsPosition) return true;
  return scope.mustSee && ports.router.hasBarrier(node);
}

/** Whether a statement may write, so that reads of its scope that begin meanwhile are not sure to see it. */
export function mayWrite(classification: Classification): boolean {
  const { kind, transaction } = classification;
  return kind === 'write' || kind === 'unknown' || transaction === 'xa-commit';
}

/** Whether a statement may have switched off what tells the GTIDs of later ones on its connection. */
export function mayHushGtids({ kind, pins }: Classification): boolean {
  return kind === 'unknown' || pins.includes('session-variable');
}

/** Keeps the GTIDs that a statement of `scope` committed; without any, decides whether something may have been committed. */
export function noteAnswer(
  ports: SessionPorts,
  scope: ActiveScope | undefined,
  connection: PhysicalConnection,
  classification: Classification,
  [before, after]: readonly [before: SessionState, after: SessionState],
  [result]: StatementAnswer,
): void {
  if (scope === undefined) return;
  // The end of rows tells nothing; what looks like a read and gives no rows may.
  if (isPlainRead(classification) && Array.isArray(result)) return;
  const { position, hasRows, changed } = writtenGtids(connection.flavor, result);
  if (position !== undefined) {
    connection.tellsGtids = true;
    scope.causal.noteWritten(position);
  }
  if (!mayHaveCommitted(classification, before, after)) return;
  // Rows in a transaction that goes on are no commit; those of a procedure may hide one all the same.
  const isHidden = mayWrite(classification) && hasRows;
  if (isHidden || !isTold()) scope.causal.noteUntold();

  function isTold(): boolean {
    // A session tells the last GTID only: of several domains, one.
    if (position !== undefined)
      return classification.kind !== 'unknown' || !ports.router.mayHideDomains(connection.node);
    // Inside a transaction that goes on, changed rows have no GTID yet.
    return connection.tellsGtids && (!changed || isInTransaction(after));
  }
}

function isPlainRead({ kind, route }: Classification): boolean {
  return kind === 'read' && route === 'replica';
}

/** Whether a statement that succeeded may have committed something, by the transaction before and after it. */
function mayHaveCommitted(
  classification: Classification,
  before: SessionState,
  after: SessionState,
): boolean {
  if (!isInTransaction(before)) return mayWrite(classification);
  // What is not transactional is committed even by a rollback.
  return !isInTransaction(after) || mayCommitIn(before, classification);
}

/** A statement failed: an error tells no GTID, although a part of what it did may be committed. */
export function noteFailure(
  scope: ActiveScope | undefined,
  classification: Classification,
  before: SessionState,
): void {
  if (scope === undefined || classification.kind === 'read') return;
  if (mayWrite(classification) || isInTransaction(before)) scope.causal.noteUntold();
}

function isInTransaction(state: SessionState): boolean {
  return state.transaction === 'read-write' || !state.autocommit;
}
