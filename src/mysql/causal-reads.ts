/** Keeps what a scope wrote, and makes sure that a connection has it before a read of the scope is sent. */
import { pause } from '../common/backoff.js';
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { GtidPosition } from '../topology/gtid-position.js';
import { askPrimary } from './answer-of.js';
import type { Classification } from './classifier/classification.js';
import { READ_PATIENCE_MS, type Tried } from './connection-binder.js';
import { mayCommitIn } from './failure-policy.js';
import { readStanding, waitForCluster, waitForGtids } from './gtid-wait.js';
import type { PhysicalConnection } from './physical-connection.js';
import type { ActiveScope } from './scope.js';
import type { CallContext, SessionPorts } from './session-ports.js';
import type { SessionState } from './session-state.js';
import type { StatementAnswer } from './statement.js';
import { writtenGtids } from './written-gtids.js';

/**
 * Brings `connection` to where a read of the scope needs it: waits on a replica for `waitFor`, or asks the primary where it
 * stands. Whether the read may be sent there; if not, it belongs to another node, or to the same one after another look.
 *
 * Rejects with `ERR_NO_REPLICA` when the only primary takes no writes and lacks what the read must see; with another error
 * when the connection is lost or the deadline passes, and it must not be used again then.
 */
export async function catchUp(
  ports: SessionPorts,
  connection: PhysicalConnection,
  waitFor: GtidPosition | undefined,
  context: CallContext,
  tried: Tried,
): Promise<boolean> {
  const { scope, deadline } = context;
  if (scope === undefined) return true;
  if (ports.router.hasBarrier(connection.node)) {
    // Who has waited in vain is at the primary now, where nothing else helps.
    if (tried.hasWaited !== true && !(await waitForCluster(connection, scope.waitMs, deadline))) return false;
    if (scope.wantsPosition && connection.node === ports.router.writer) {
      const take = scope.causal.beginPosition();
      const question = readStanding(connection, deadline, true);
      take((await askPrimary(ports, connection, question)).position);
    }
    return true;
  }
  if (waitFor === undefined) return await standAtPrimary(ports, connection, scope, context, tried);
  const { positions } = ports.router;
  const endWait = positions.beginWait(connection.node);
  try {
    const isThere = await waitForGtids(connection, waitFor, scope.waitMs, deadline);
    if (isThere) positions.learn(connection.node, waitFor);
    else scope.causal.noteVain();
    return isThere;
  } finally {
    endWait();
  }
}

/**
 * Asks the node that is taken for the primary where it stands: it may have been replaced since it was looked at. What it lacks
 * after all nodes were looked at again is lost, unless it takes no writes itself.
 */
async function standAtPrimary(
  ports: SessionPorts,
  connection: PhysicalConnection,
  scope: ActiveScope,
  { deadline }: CallContext,
  tried: Tried,
): Promise<boolean> {
  const { node } = connection;
  const { wanted, causal } = scope;
  const take = scope.wantsPosition && node === ports.router.writer ? causal.beginPosition() : undefined;
  const standing = await askPrimary(ports, connection, readStanding(connection, deadline, false));
  const lacks = wanted !== undefined && !standing.has(wanted);
  const isAsked = tried.asksSince !== undefined;
  if (!lacks && (isAsked || !standing.isReadOnly)) {
    take?.(standing.position);
    if (wanted !== undefined && scope.wanted === wanted) causal.noteProven(node, wanted);
    return true;
  }
  if (isAsked && !standing.isReadOnly) {
    if (wanted !== undefined) causal.giveUp(wanted, standing.position);
    take?.(standing.position);
    return true;
  }
  tried.asksSince ??= performance.now();
  if (performance.now() - tried.asksSince > READ_PATIENCE_MS) {
    const lack = new StormlampError(ErrorCode.NO_REPLICA, `it takes no writes and lacks ${wanted?.text}`);
    throw ports.router.noReader(scope, new Set([node]), lack);
  }
  if (isAsked) await pause(Math.min(ASK_PAUSE_MS, deadline.remainingMs()), deadline.signal);
  const looks = ports.router.topology.nodes.map(({ id }) => ports.refresh(id));
  await deadline.race('Looking for the primary', Promise.all(looks));
  return false;
}

/** Pause between two questions to a primary that takes no writes, in milliseconds. */
const ASK_PAUSE_MS = 100;

/** Whether a read of the scope needs {@link catchUp} on the node that was chosen for it. */
export function mustCatchUp(
  ports: SessionPorts,
  node: NodeId,
  scope: ActiveScope | undefined,
  waitFor: GtidPosition | undefined,
): boolean {
  if (scope === undefined) return false;
  if (waitFor !== undefined || scope.wantsPosition) return true;
  const { wanted } = scope;
  if (wanted === undefined) return scope.mustSee && ports.router.hasBarrier(node);
  return !scope.causal.isProvenOn(node) && ports.router.mayLack(node, wanted);
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
  scope: ActiveScope | undefined,
  connection: PhysicalConnection,
  classification: Classification,
  [before, after]: readonly [before: SessionState, after: SessionState],
  [result]: StatementAnswer,
): void {
  if (scope === undefined) return;
  if (seesNewest(classification, before)) connection.hasMet = true;
  // The end of rows tells nothing; what looks like a read and gives no rows may.
  if (isPlainRead(classification) && Array.isArray(result)) return;
  const { position, hasRows, changed } = writtenGtids(connection.flavor, result);
  if (position !== undefined) {
    connection.tellsGtids = true;
    scope.causal.noteWritten(position, connection.node);
  }
  const hasMet = connection.hasMet;
  const hasEnded = !isInTransaction(after);
  if (hasEnded) connection.hasMet = false;
  if (!(hasMet && hasEnded) && !mayHaveCommitted(classification, before, after)) return;
  // Rows in a transaction that goes on are no commit; those of a procedure may hide one all the same.
  const isHidden = mayWrite(classification) && hasRows;
  if (isHidden || !isTold()) scope.causal.noteUntold();

  function isTold(): boolean {
    // MariaDB tells the last GTID only: of several domains, one, and a procedure may write in one that nobody has seen yet.
    if (position !== undefined) return classification.kind !== 'unknown' || connection.flavor === 'mysql';
    // Inside a transaction that goes on, changed rows have no GTID yet.
    return connection.tellsGtids && !(hasEnded && (changed || hasMet));
  }
}

/**
 * Whether a statement may have met what others had just written, and changed nothing because of that: who found it with this one
 * looks for it with the next. A write does, a lock on rows, tables or a name, and every read of a transaction that may write.
 */
function seesNewest(classification: Classification, before: SessionState): boolean {
  const { kind, locksRows, pins } = classification;
  if (mayWrite(classification) || locksRows === true) return true;
  if (kind === 'read') return isInTransaction(before);
  return pins.includes('named-lock') || pins.includes('table-lock');
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
