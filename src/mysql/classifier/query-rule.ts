/** Statements that read: where they may run follows from what is in them. */
import { answer, target } from './answer.js';
import type { Classification, PinTarget, Route, StatementKind } from './classification.js';
import { Feature } from './features.js';
import { lockTarget } from './lock-functions.js';
import { namesTable } from './named-tables.js';
import type { StatementContext } from './statement-context.js';
import type { StatementCursor } from './statement-cursor.js';

/** The answer for a read without anything special in it. */
export const PLAIN_READ: Classification = answer('read', 'replica', 'it only reads');

const PLAIN_SELECT = Object.freeze({ ...PLAIN_READ, setsFound: true as const });

/** The answer for `SELECT`, also behind `WITH`: every server counts its rows, unless it writes them or others. */
export function classifySelect(context: StatementContext): Classification {
  const { features } = context.scan;
  const given = classifyQuery(context);
  if (given === PLAIN_READ) return PLAIN_SELECT;
  if ((features & (Feature.INTO_FILE | Feature.WRITE_WORD)) !== 0) return given;
  return Object.freeze({ ...given, setsFound: true as const });
}

/** The answer for `TABLE`, `VALUES`, and everything else that may run on a replica. */
export function classifyQuery(
  { scan, text, cursor }: StatementContext,
  features: number = scan.features,
): Classification {
  if (features === 0) return PLAIN_READ;
  const pinned = pinnedBy(features, cursor);
  if ((features & Feature.INTO_FILE) !== 0)
    return answer('write', 'primary', 'it writes a file on the server', { pinned });
  if ((features & Feature.WRITE_WORD) !== 0) return answer('write', 'primary', 'it writes', { pinned });
  if ((features & Feature.SEQUENCE_WRITE) !== 0)
    return answer('write', 'primary', 'it advances a sequence', { pinned });
  if ((features & Feature.UNKNOWN_FUNCTION) !== 0) {
    const { functionStart, functionEnd } = scan;
    const name =
      functionStart < 0 ? 'json_table' : text.slice(functionStart, Math.min(functionEnd, functionStart + 64));
    return answer('unknown', 'primary', `it calls ${name}(), which is not known to only read`, { pinned });
  }
  if ((features & Feature.INTO) !== 0 && (features & Feature.USER_VARIABLE) === 0)
    return answer('unknown', 'primary', 'it stores its result somewhere', { pinned });
  const [kind, route, because] = readReason(features);
  const asksBefore = route === 'same' || (features & Feature.FOUND_ROWS) !== 0;
  const showsRows = asksBefore && namesTable(cursor());
  // Of whichever connection shows the rows.
  if (showsRows && features === Feature.CONNECTION_ID)
    return answer('read', 'replica', PLAIN_READ.because, { tellsNumber: true });
  return answer(kind, route, because, {
    pinned,
    unpinned: releasedBy(features, cursor),
    showsRows,
    locksRows: (features & Feature.LOCKING) !== 0,
    tellsNumber: (features & Feature.CONNECTION_ID) !== 0,
    keepsVariables: usesVariables(features) && (features & (Feature.ASSIGN | Feature.INTO)) === 0,
  });
}

const usesVariables = (features: number): boolean =>
  (features & (Feature.USER_VARIABLE | Feature.ACCOUNT)) !== 0;

function readReason(features: number): [StatementKind, Route, string] {
  if ((features & Feature.NAMED_LOCK) !== 0) return ['session', 'primary', 'it takes a named lock'];
  if (usesVariables(features)) return ['read', 'primary', 'it uses a user variable of its connection'];
  if ((features & Feature.ASSIGN) !== 0) return ['read', 'primary', 'it assigns a variable'];
  if ((features & Feature.CALC_FOUND_ROWS) !== 0)
    return ['read', 'primary', 'FOUND_ROWS() may follow on its connection'];
  if ((features & Feature.LOCKING) !== 0) return ['read', 'primary', 'it locks the rows that it reads'];
  if ((features & (Feature.LAST_WRITE | Feature.SETS_INSERT_ID)) !== 0)
    return ['read', 'primary', 'it asks for the last write of its connection'];
  if ((features & Feature.LOCAL) !== 0)
    return ['read', 'primary', 'it reads what every server has for itself'];
  if ((features & Feature.FOR_CONNECTION) !== 0)
    return ['read', 'primary', 'it looks at another connection of the same server'];
  if ((features & (Feature.LOCK_RELEASE | Feature.ALL_LOCKS_RELEASE)) !== 0)
    return ['session', 'same', 'it releases a named lock of its connection'];
  return ['read', 'same', 'it asks about the statement before on its connection'];
}

/** What the features of a statement of any kind pin. */
export function pinnedBy(features: number, cursor: () => StatementCursor): PinTarget[] {
  const pinned: PinTarget[] = [];
  if (usesVariables(features)) pinned.push(target('user-variable'));
  if ((features & Feature.NAMED_LOCK) !== 0)
    pinned.push(lockTarget(cursor(), 'get_lock') ?? target('named-lock'));
  if ((features & Feature.CALC_FOUND_ROWS) !== 0) pinned.push(target('found-rows'));
  if ((features & Feature.SETS_INSERT_ID) !== 0) pinned.push(target('session-variable'));
  return pinned;
}

function releasedBy(features: number, cursor: () => StatementCursor): PinTarget[] {
  const released: PinTarget[] = [];
  if ((features & Feature.FOUND_ROWS) !== 0 && (features & Feature.CALC_FOUND_ROWS) === 0)
    released.push(target('found-rows'));
  // A release that may not be executed must not let go, so only statements that do nothing else count.
  if ((features & Feature.LOCK_RELEASE) !== 0) {
    const lock = lockTarget(cursor(), 'release_lock');
    if (lock !== undefined) released.push(lock);
  }
  if ((features & Feature.ALL_LOCKS_RELEASE) !== 0) {
    const all = lockTarget(cursor(), 'release_all_locks');
    if (all !== undefined) released.push(all);
  }
  return released;
}
