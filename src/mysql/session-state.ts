/**
 * What the statements of one virtual connection have left behind on the server, as a pure state machine: it decides
 * whether the next statement may go elsewhere, and what another connection must be told before it takes over.
 */
import type { AccessMode, Classification, PinTarget } from './classifier/classification.js';
import { pinNames, pinsAfter, withPin } from './session-pins.js';
import { withSetting } from './setting-list.js';
import { doesMore, goesOnOutside } from './several-statements.js';
import type { Statement } from './statement.js';

/** The transaction that is open, as far as the client knows. */
export type TransactionPhase = 'none' | 'read-write' | 'read-only';

/** The state of a session; replaced as a whole after every statement that changes it. */
export interface SessionState {
  /** The open transaction. */
  readonly transaction: TransactionPhase;
  /** False after `SET autocommit = 0`: every statement then belongs to a transaction. */
  readonly autocommit: boolean;
  /** What ties the session to its physical connection. */
  readonly pins: readonly PinTarget[];
  /** Whether something may tie it that no text shows: what a procedure did, or a function or trigger in a statement. */
  readonly unseen: boolean;
  /** Whether the session wrote: from then on it stays with the primary until it is released. */
  readonly wrote: boolean;
  /** Settings (`SET NAMES`, `SET time_zone`, `USE`, …) that another connection must be given first, in order. */
  readonly settings: readonly Statement[];
  /** What was said about the next transaction (`SET TRANSACTION …`) and is told to the node that it begins on. */
  readonly announced: readonly Announcement[];
}

/** A statement about the next transaction, and what it says about its writing. */
export interface Announcement {
  /** The statement. */
  readonly statement: Statement;
  /** Whether the transaction may write; undefined when the statement does not say. */
  readonly access: AccessMode | undefined;
}

/** The state of a session that has done nothing yet. */
export const FRESH_SESSION: SessionState = Object.freeze({
  transaction: 'none',
  autocommit: true,
  pins: Object.freeze([]),
  unseen: false,
  wrote: false,
  settings: Object.freeze([]),
  announced: Object.freeze([]),
});

/** Settings are repeated on every change of connection; a session that makes more of them stays where it is. */
const SETTINGS_LIMIT = 16;

/** Isolation level and access mode may be announced apart, and again: the last few are what counts. */
const ANNOUNCED_LIMIT = 7;

/** Where the next statement of a session has to run. */
export type Need =
  /** On the connection that is held, and on no other. */
  | { readonly place: 'held'; readonly because: string }
  /** On the primary. */
  | { readonly place: 'primary'; readonly because: string }
  /** Wherever reads may go. */
  | { readonly place: 'read'; readonly because: string }
  /** Wherever the session happens to be. */
  | { readonly place: 'any'; readonly because: string };

/**
 * Whether a statement only says something about the next transaction, so that it need not be sent before it is known where
 * that begins. Inside a transaction the server has to refuse it.
 */
export function isAnnouncement(state: SessionState, classification: Classification): boolean {
  if (classification.transaction !== 'next-transaction' || classification.several === true) return false;
  if (isTied(state)) return false;
  return classification.kind === 'transaction' && classification.pins.length === 0;
}

/** The state after an announcement. */
export function afterAnnouncement(
  state: SessionState,
  statement: Statement,
  { access }: Classification,
): SessionState {
  return { ...state, announced: [...state.announced.slice(-ANNOUNCED_LIMIT), { statement, access }] };
}

function announcedAccess({ announced }: SessionState): AccessMode | undefined {
  return announced.findLast(({ access }) => access !== undefined)?.access;
}

/** Whether a statement is, or begins, the transaction that was announced. */
export function usesAnnouncement(classification: Classification): boolean {
  if (classification.transaction?.startsWith('begin') === true) return true;
  return classification.kind !== 'session' && classification.kind !== 'transaction';
}

/** Whether the session cannot leave its physical connection. */
export function isTied(state: SessionState): boolean {
  return state.transaction !== 'none' || !state.autocommit || state.pins.length > 0 || state.unseen;
}

/**
 * Whether a statement ends a read-only transaction by beginning something else. Nothing has to be committed then, and what
 * begins may belong to another node: a read-write transaction must not begin on the replica of the one before. What is chained
 * to it is read-only, too.
 */
export function leavesReadOnlyTransaction(state: SessionState, classification: Classification): boolean {
  if (state.transaction !== 'read-only' || !state.autocommit) return false;
  if (state.pins.length > 0 || state.unseen) return false;
  if (classification.chained === true) return false;
  // What stands before the end belongs into the transaction, and what is behind it does not.
  if (classification.several === true && classification.endsFirst === undefined) return false;
  if (goesOnOutside(classification)) return true;
  return classification.implicitCommit || classification.transaction?.startsWith('begin') === true;
}

/** Where a statement has to run, given what the session did before and whether it holds a connection. */
export function needOf(state: SessionState, classification: Classification, holds: boolean): Need {
  if (holds && isTied(state)) return { place: 'held', because: tieOf(state) };
  if (state.wrote) return { place: 'primary', because: 'this connection wrote before' };
  const { because } = classification;
  if (classification.pins.length > 0) return { place: 'primary', because };
  switch (classification.transaction) {
    case 'begin-read-only':
      return { place: doesMore(classification) ? 'primary' : 'read', because };
    case 'begin':
      return announcedAccess(state) === 'read-only' && !doesMore(classification)
        ? { place: 'read', because: 'it begins a transaction that was announced as read-only' }
        : { place: 'primary', because };
    case 'begin-read-write':
    case 'autocommit-off':
    case 'next-transaction':
      return { place: 'primary', because };
    default:
  }
  switch (classification.route) {
    case 'replica':
      return { place: 'read', because };
    case 'primary':
      return { place: 'primary', because };
    case 'same':
      if (holds) return { place: 'held', because };
      // Where the reads after it will be, too.
      return { place: classification.tellsNumber === true ? 'read' : 'primary', because };
    case 'all':
      // A replica that is behind does not know a new database.
      if (state.settings.length < SETTINGS_LIMIT)
        return { place: changesDatabase(classification) ? 'read' : 'any', because };
      return { place: 'primary', because: 'more settings were made than are repeated on another connection' };
  }
}

/** Whether the session stays with the primary once this statement was sent there. */
export function bindsToPrimary(classification: Classification): boolean {
  if (classification.pins.length > 0) return true;
  switch (classification.transaction) {
    case 'begin':
    case 'begin-read-write':
    case 'autocommit-off':
    case 'next-transaction':
    case 'xa-prepare':
    case 'xa-commit':
    case 'xa-rollback':
      return true;
    default:
      return classification.kind === 'write' || classification.kind === 'unknown';
  }
}

/** Whether the session may have another `sql_mode` after a statement, so that later texts may be read in another way. */
export function mayChangeMode({ settings, pins, kind }: Classification): boolean {
  return settings?.includes('sql-mode') === true || pins.includes('session-variable') || kind === 'unknown';
}

/**
 * Whether a statement must not run on a replica whatever transaction it is in: what a procedure does cannot be told, and it may
 * commit; a named lock that is taken there locks nobody out elsewhere.
 */
export function mayDoAnything({ kind, transaction, pins }: Classification): boolean {
  return kind === 'unknown' || transaction === 'autocommit-off' || pins.includes('named-lock');
}

/**
 * Whether a statement leaves what a reset does not take away, so that its connection cannot be lent to others: another
 * database, a distributed transaction, which both families mix up with that of the next borrower once it was prepared, or an
 * end of the connection that has not come yet.
 */
export function outlivesReset(classification: Classification): boolean {
  if (classification.closes === true) return true;
  return changesDatabase(classification) || classification.pins.includes('xa');
}

/** Whether another database is chosen. */
export function changesDatabase(classification: Classification): boolean {
  return classification.settings?.includes('database') === true;
}

/** How a statement ended, as far as the session is concerned. */
export type Ending =
  /**
   * The server accepted it; `status` are the status bits of its OK packet, when it had one, and `tellsChange` is whether it told of
   * a change to the session.
   */
  | { readonly ok: true; readonly status: number | undefined; readonly tellsChange?: boolean }
  /** The server refused it. */
  | { readonly ok: false; readonly errno: number | undefined };

/** Status bits of an OK packet. */
const IN_TRANSACTION = 0x0001;
const AUTOCOMMIT = 0x0002;
const IN_READ_ONLY_TRANSACTION = 0x2000;

/**
 * Errors after which the server has rolled back the whole transaction: a row that changed under a snapshot (MariaDB), a
 * deadlock, and a commit that was refused by `read_only`, by a hook, or by certification.
 */
const ENDS_TRANSACTION: ReadonlySet<number> = new Set([1020, 1213, 3100, 3101]);
const ENDS_AT_COMMIT: ReadonlySet<number> = new Set([1290, 1836]);

/** The commonest errors that take nothing back but their own statement, on every server. */
const LEAVES_TRANSACTION: ReadonlySet<number> = new Set([
  ...ENDS_TRANSACTION,
  1048,
  1054,
  1062,
  1064,
  1146,
  1264,
  1366,
  1406,
  1451,
  1452,
  1644,
  1690,
  1792,
]);

/** The state after a statement. `statement` is only kept when it is a setting that can be repeated. */
export function afterStatement(
  state: SessionState,
  classification: Classification,
  statement: Statement,
  ending: Ending,
): SessionState {
  const transaction = transactionAfter(state, classification, ending);
  const autocommit = autocommitAfter(state, classification, ending);
  let pins = pinsAfter(state.pins, classification, ending.ok, state.transaction === 'read-only');
  let { settings } = state;
  if (classification.settings !== undefined && classification.settings.length > 0) {
    if (!isSetting(classification)) pins = withPin(pins, { pin: 'session-variable', name: undefined });
    else if (!ending.ok) pins = state.pins;
    else settings = withSetting(settings, statement);
  }
  const isFull = settings.length > SETTINGS_LIMIT;
  if (isFull) {
    settings = state.settings;
    pins = withPin(pins, { pin: 'session-variable', name: undefined });
  }
  const unseen = state.unseen || leavesUnseen(classification, ending);
  // Inside a read-only transaction nothing is written, whatever is tried; what no text shows is on the primary all the same.
  const wrote =
    state.wrote || unseen || ((isFull || bindsToPrimary(classification)) && transaction !== 'read-only');
  const announced = ending.ok && usesAnnouncement(classification) ? FRESH_SESSION.announced : state.announced;
  const changed =
    announced.length !== state.announced.length ||
    transaction !== state.transaction ||
    autocommit !== state.autocommit ||
    pins !== state.pins ||
    unseen !== state.unseen ||
    settings !== state.settings ||
    wrote !== state.wrote;
  return changed ? { transaction, autocommit, pins, unseen, wrote, settings, announced } : state;
}

/** Whether a statement may have left on its connection what its text does not show; a named lock the server does not tell either. */
function leavesUnseen({ kind, calls, pins }: Classification, ending: Ending): boolean {
  if (kind === 'unknown' || calls === true) return true;
  return kind === 'write' && ending.ok && ending.tellsChange === true && !pins.includes('temp-table');
}

/**
 * Whether only the server knows what became of the transaction after this statement failed with the number `errno`: a
 * statement that commits first does so unless it was not even understood, what a procedure did before its error is done, of
 * several statements those before the one that failed are, and whether an error takes the whole transaction back may be a
 * matter of the server's settings (1205 with `innodb_rollback_on_timeout`).
 */
export function leavesDoubt(
  state: SessionState,
  classification: Classification,
  errno: number | undefined,
): boolean {
  if (mayChangeTransaction(classification)) return true;
  if (state.transaction === 'none' && state.autocommit) return false;
  return classification.implicitCommit || (errno !== undefined && !LEAVES_TRANSACTION.has(errno));
}

/**
 * Whether a text may do something to the transaction that its last effect does not show: a procedure may, and several
 * statements of which one is about transactions, or commits by the way.
 */
export function mayChangeTransaction(classification: Classification): boolean {
  const { kind, several, transaction, implicitCommit, unpins } = classification;
  if (kind === 'unknown') return true;
  return several === true && (transaction !== undefined || implicitCommit || unpins.includes('table-lock'));
}

/** Whether the status bits are those of a session with autocommit and without a transaction. */
export function isOrderly(status: number): boolean {
  return (status & AUTOCOMMIT) !== 0 && (status & IN_TRANSACTION) === 0;
}

/** The state once the server has told its status bits; undefined bits tell nothing. */
export function afterInquiry(state: SessionState, status: number | undefined): SessionState {
  if (status === undefined) return state;
  const transaction = phaseOf(status, state.transaction);
  return { ...state, transaction, autocommit: (status & AUTOCOMMIT) !== 0 };
}

/** Whether a statement only changes settings that can be made again on another connection. */
export function isSetting(classification: Classification): boolean {
  return (
    classification.kind === 'session' &&
    classification.route === 'all' &&
    classification.pins.length === 0 &&
    classification.unpins.length === 0 &&
    classification.transaction === undefined
  );
}

function transactionAfter(
  state: SessionState,
  classification: Classification,
  ending: Ending,
): TransactionPhase {
  const { transaction: effect, implicitCommit } = classification;
  if (!ending.ok) {
    if (ending.errno !== undefined) {
      if (ENDS_TRANSACTION.has(ending.errno)) return 'none';
      if (effect === 'commit' && ENDS_AT_COMMIT.has(ending.errno)) return 'none';
    }
    // It may have ended all the same, see `leavesDoubt`: until the server says so, it is taken for open.
    return state.transaction;
  }
  const base = implicitCommit ? 'none' : state.transaction;
  if (ending.status !== undefined) {
    // The server's own word is better than what the text says, for example after CALL.
    const isNew = effect === 'begin-read-write' || (effect === 'begin' && classification.chained !== true);
    return phaseOf(ending.status, isNew ? 'none' : base);
  }
  switch (effect) {
    case 'begin':
    case 'begin-read-write':
      return classification.chained === true && base === 'read-only' ? base : 'read-write';
    case 'begin-read-only':
      return 'read-only';
    case 'commit':
    case 'rollback':
    case 'autocommit-on':
      return 'none';
    default:
      return base;
  }
}

function phaseOf(status: number, before: TransactionPhase): TransactionPhase {
  if ((status & IN_TRANSACTION) === 0) return 'none';
  if ((status & IN_READ_ONLY_TRANSACTION) !== 0) return 'read-only';
  return before === 'read-only' ? 'read-only' : 'read-write';
}

function autocommitAfter(state: SessionState, classification: Classification, ending: Ending): boolean {
  if (!ending.ok) return state.autocommit;
  if (ending.status !== undefined) return (ending.status & AUTOCOMMIT) !== 0;
  if (classification.transaction === 'autocommit-on') return true;
  if (classification.transaction === 'autocommit-off') return false;
  return state.autocommit;
}

function tieOf(state: SessionState): string {
  if (state.transaction === 'read-write') return 'inside a read-write transaction';
  if (state.transaction === 'read-only') return 'inside a read-only transaction';
  if (!state.autocommit) return 'autocommit is off';
  if (state.pins.length > 0) return `this connection is tied by ${pinNames(state.pins).join(', ')}`;
  return 'a procedure, function or trigger may have left something on this connection';
}
