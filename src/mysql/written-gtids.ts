/** What the answer of a statement tells about what it committed: session tracking, as the driver shows it. */
import type { ResultSetHeader } from 'mysql2';
import { type GtidPosition, readGtidPosition } from '../topology/gtid-position.js';
import type { Flavor } from '../topology/node-description.js';
import { isHeader } from './result-header.js';
import type { StatementAnswer } from './statement.js';

/** What an answer tells. */
export interface WrittenGtids {
  /** The GTIDs that it names; undefined when it names none. */
  readonly position: GtidPosition | undefined;
  /** Whether rows were returned: their end carries no GTID, so a commit may be hidden behind them. */
  readonly hasRows: boolean;
  /** Whether it says that rows were changed. */
  readonly changed: boolean;
}

interface TrackedHeader extends ResultSetHeader {
  readonly stateChanges?: {
    readonly systemVariables: Readonly<Record<string, string>>;
    readonly gtids: readonly string[];
  };
}

/** Reads the result of a statement, as a call of `query` or `execute` gives it, of a server of `flavor`. */
export function writtenGtids(flavor: Flavor, result: StatementAnswer[0] | undefined): WrittenGtids {
  if (isTracked(result)) return ofHeaders(flavor, [result], false);
  if (!Array.isArray(result)) return { position: undefined, hasRows: false, changed: false };
  // Several results: a header or a list of rows each. One result of rows has no header in it.
  const headers = (result as readonly unknown[]).filter(isTracked);
  const hasRows = headers.length === 0 || headers.length < result.length;
  return ofHeaders(flavor, headers, hasRows);
}

function ofHeaders(flavor: Flavor, headers: readonly TrackedHeader[], hasRows: boolean): WrittenGtids {
  const texts: string[] = [];
  let changed = false;
  for (const header of headers) {
    const { stateChanges, affectedRows, info } = header;
    // An UPDATE counts the rows that it found; only its text tells those that it changed.
    changed ||= info?.startsWith('Rows matched') === true ? header.changedRows > 0 : affectedRows > 0;
    if (stateChanges === undefined) continue;
    if (flavor === 'mysql') texts.push(...stateChanges.gtids);
    else {
      const gtid = stateChanges.systemVariables['last_gtid'];
      if (gtid !== undefined && gtid !== '') texts.push(gtid);
    }
  }
  const position = texts.length === 0 ? undefined : readGtidPosition(flavor, texts.join(','));
  return { position: position?.text === '' ? undefined : position, hasRows, changed };
}

function isTracked(value: unknown): value is TrackedHeader {
  return isHeader(value);
}
