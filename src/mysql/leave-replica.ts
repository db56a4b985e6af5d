/** When a session leaves the replica that a read-only transaction took it to, and when it cannot. */
import type { NodeId } from '../common/node-address.js';
import { isStormlampError } from '../common/stormlamp-error.js';
import type { Classification, Pin } from './classifier/classification.js';
import { notOnReplica, stuckOnReplica } from './lost-errors.js';
import type { PhysicalConnection } from './physical-connection.js';
import { showsData } from './replica-tie.js';
import { pinNames } from './session-pins.js';
import { leavesReadOnlyTransaction, mayDoAnything, type SessionState } from './session-state.js';
import { goesOnOutside } from './several-statements.js';
import type { StatementMode } from './statement.js';

/**
 * The state with which a session leaves the connection that it holds before this statement; undefined when it stays. Inside
 * a read-only transaction it is left for what begins something else. `wasLeft`: such a transaction is over, and what it left
 * there ties the session (see `ReplicaTie`): it stays for reads.
 *
 * @throws StormlampError `ERR_UNSUPPORTED` for a statement that needs the primary while the session is tied to a replica.
 */
export function stateToLeaveWith(
  state: SessionState,
  classification: Classification,
  held: PhysicalConnection | undefined,
  wasLeft: boolean,
  writer: NodeId | undefined,
): SessionState | undefined {
  if (state.transaction === 'read-only') {
    if (leavesReadOnlyTransaction(state, classification)) {
      // What its last write left (`LAST_INSERT_ID()`) is there, and what begins belongs there as well.
      if (state.wrote && held?.node === writer) return undefined;
      return { ...state, transaction: 'none' };
    }
    if (held === undefined || held.node === writer) return undefined;
    const { administers } = classification;
    if (administers === true || mayDoAnything(classification) || goesOnOutside(classification))
      throw notOnReplica(held.node, classification);
    if (beginsElse(classification))
      throw state.pins.length > 0 || state.unseen
        ? stuckOnReplica(held.node, tiesOf(state), classification)
        : notOnReplica(held.node, classification);
    return undefined;
  }
  if (!wasLeft || held === undefined) return undefined;
  const free = forgetFoundRows(state);
  // What tells of the statement before is replaced by a read anyhow, which then is free to be a fresh one.
  if (free !== undefined && classification.showsRows !== true && showsData(state, classification))
    return free;
  if (!needsPrimary(classification)) return undefined;
  if (free === undefined) throw stuckOnReplica(held.node, tiesOf(state), classification);
  return free;
}

/** What a server answers to a text that it can read, which then has committed what was open before it. */
const AFTER_COMMIT: ReadonlySet<unknown> = new Set([
  1007, 1008, 1044, 1050, 1051, 1060, 1061, 1091, 1142, 1146, 1304, 1305, 1359, 1360, 1370, 1419,
]);

/** A text that the server cannot read (`ER_PARSE_ERROR`). */
const NOT_READ = 1064;

/**
 * Whether the read-only transaction that was left for a statement may not have ended: what failed with `error` committed nothing
 * unless the server says what it says only afterwards. What is prepared first may fail there, and of several texts an earlier one.
 */
export function isLeftInVain(mode: StatementMode, classification: Classification, error: unknown): boolean {
  const { implicitCommit, several, endsFirst } = classification;
  if (mode === 'execute' || isStormlampError(error)) return true;
  const errno = (error as { errno?: unknown } | undefined)?.errno;
  // Where the server takes one statement only, it reads none of them.
  if (endsFirst === 'always') return errno === NOT_READ;
  if (several === true || !implicitCommit) return true;
  return !AFTER_COMMIT.has(errno);
}

/** What a replica can hold for a session as well as the primary. */
const ANYWHERE: readonly Pin[] = ['user-variable', 'found-rows', 'prepared', 'session-variable'];

/** Whether a statement cannot run on a replica to which its session is tied. */
function needsPrimary(classification: Classification): boolean {
  const { kind, transaction, pins, route } = classification;
  if (kind === 'write' || mayDoAnything(classification)) return true;
  if (transaction === 'next-transaction' || transaction?.startsWith('xa') === true) return true;
  if (transaction?.startsWith('begin') === true) return transaction !== 'begin-read-only';
  // What locks rows, or asks for the last write.
  if (kind === 'read' && pins.length === 0) return route === 'primary';
  return pins.some((pin) => !ANYWHERE.includes(pin));
}

/** Whether a statement commits, or begins a transaction that may write. */
function beginsElse({ implicitCommit, chained, transaction }: Classification): boolean {
  if (chained === true) return false;
  return implicitCommit || transaction === 'begin' || transaction === 'begin-read-write';
}

function tiesOf({ pins }: SessionState): string {
  return pins.length > 0 ? pinNames(pins).join(', ') : 'what a procedure, function or trigger may have left';
}

/** The state without what tells of the statement before, when that is all that ties the session. */
function forgetFoundRows(state: SessionState): SessionState | undefined {
  return state.pins.every(({ pin }) => pin === 'found-rows') ? { ...state, pins: [] } : undefined;
}
