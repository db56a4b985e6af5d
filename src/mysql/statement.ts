/** The argument forms in which mysql2's `query` and `execute` take a statement, read once into one shape. */
import { EventEmitter } from 'node:events';
import type {
  Connection,
  ExecuteValues,
  FieldPacket,
  PrepareStatementInfo,
  QueryError,
  QueryOptions,
  QueryResult,
  QueryValues,
} from 'mysql2';
import type { CallOptions } from '../common/deadline.js';
import { invalidOption, rejectUnknownOptions } from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { ReadPreference } from '../topology/read-preference.js';
import { guardCast, type TypeCast } from './guarded-cast.js';
import { guardLocalFile } from './local-file.js';
import type { FilledText, SqlText } from './sql-text.js';

/** What a call may be told besides its statement. */
export interface StatementLimits extends CallOptions {
  /** A causal token: a read sees what its holder saw and wrote, also outside a scope. */
  readonly after?: string | undefined;
  /**
   * How far behind a replica may be that this read goes to, in milliseconds; replaces that of the scope, also for the time
   * without a primary unless `maxLagWithoutPrimaryMs` is given, too.
   */
  readonly maxLagMs?: number | undefined;
  /** The same while no primary can be reached, when it is more; replaces that of the scope. */
  readonly maxLagWithoutPrimaryMs?: number | undefined;
  /** Which roles may serve this read; replaces that of the scope. */
  readonly preference?: ReadPreference | undefined;
}

/** mysql2's statement options plus a limit for the whole call, a signal that ends it, and what it must see. */
export interface StatementOptions extends QueryOptions, StatementLimits {}

/** Values of either protocol. */
export type StatementValues = QueryValues | ExecuteValues;

/** How the statement goes to the server: as text, or prepared by the driver and sent in binary. */
export type StatementMode = 'query' | 'execute';

/** What a statement answers, in the shape that mysql2's promise API gives it. */
export type StatementAnswer = [QueryResult, FieldPacket[]];

/** The callback of mysql2's callback API. After an error there is no result, which mysql2's types do not say. */
export type StatementCallback<T extends QueryResult = QueryResult> = (
  error: QueryError | null,
  result: T,
  fields: FieldPacket[],
) => unknown;

/** One statement as a caller gave it. */
export interface Statement {
  /** The protocol to use. */
  readonly mode: StatementMode;
  /** The text with its placeholders; with its values when some of them are SQL, since they count for where it may run. */
  readonly sql: string;
  /** What the driver gets first: the text, with its values already in it, or the caller's options without the names that only we know. */
  readonly form: string | QueryOptions;
  /** What the driver gets second: what is not in the text yet. */
  readonly values: StatementValues | undefined;
  /** The limits of this call; undefined when the caller set none. */
  readonly limits: StatementLimits | undefined;
  /** The prepared statement to execute, when the caller prepared it, and the connection that knows it. */
  readonly prepared?: { readonly statement: PrepareStatementInfo; readonly on: Connection } | undefined;
}

/**
 * Reads the arguments of a promise call; `text` knows what the driver makes of values.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` when there is no SQL text or a limit is misspelt, `ERR_UNSUPPORTED` when a callback is given.
 */
export function readStatement(
  mode: StatementMode,
  sql: string | StatementOptions,
  values: StatementValues | undefined,
  text?: SqlText,
): Statement {
  if (typeof values === 'function') {
    throw new StormlampError(
      ErrorCode.UNSUPPORTED,
      `\`${mode}\` returns a promise and takes no callback; callbackPool() has the callback form`,
    );
  }
  // As with mysql2, there are no values then.
  if (mode === 'execute' && values === null) return readStatement(mode, sql, undefined, text);
  if (typeof sql === 'string') {
    const filled = fill(mode, text, sql, values);
    if (filled === undefined) return { mode, sql, form: sql, values: kept(values), limits: undefined };
    const { judged, sent } = filled;
    if (sent === undefined) return { mode, sql: judged, form: sql, values: kept(values), limits: undefined };
    return { mode, sql: judged, form: sent, values: NO_VALUES, limits: undefined };
  }
  if (typeof sql !== 'object' || sql === null)
    throw invalidOption('sql', 'a string or an options object', sql);
  if (typeof sql.sql !== 'string') throw invalidOption('sql.sql', 'a string', sql.sql);
  refuseMisspelt(sql);
  const { timeoutMs, signal, after, maxLagMs, maxLagWithoutPrimaryMs, preference, ...own } = sql;
  // As the driver does: objects of template libraries have these two as getters of their class.
  const form: QueryOptions = { ...own, sql: sql.sql, values: sql.values };
  if (form.infileStreamFactory !== undefined) {
    form.infileStreamFactory = guardLocalFile(form.infileStreamFactory);
  }
  if (typeof form.typeCast === 'function')
    form.typeCast = guardCast(form.typeCast as TypeCast) as typeof form.typeCast;
  // A longer timer would fire at once.
  if (form.timeout !== undefined && form.timeout > LONGEST_MS) form.timeout = LONGEST_MS;
  const given = values ?? form.values;
  const asksForLag = maxLagMs !== undefined || maxLagWithoutPrimaryMs !== undefined;
  const asksOfReads = after !== undefined || asksForLag || preference !== undefined;
  const isLimited = timeoutMs !== undefined || signal !== undefined || asksOfReads;
  const limits = isLimited
    ? { timeoutMs, signal, after, maxLagMs, maxLagWithoutPrimaryMs, preference }
    : undefined;
  const filled = fill(mode, text, form.sql, given, form.namedPlaceholders);
  if (filled?.sent === undefined) {
    // The driver takes the values of the options first.
    if (form.values !== undefined) form.values = kept(form.values) as QueryValues;
    return { mode, sql: filled?.judged ?? form.sql, form, values: kept(given), limits };
  }
  const { judged, sent } = filled;
  return { mode, sql: judged, form: { ...form, sql: sent, values: [] }, values: NO_VALUES, limits };
}

/**
 * Refuses a command of the driver's own `createQuery()`, which only its own connections can run; as an options object its callback and
 * its listeners would never hear of the statement.
 *
 * @throws StormlampError `ERR_UNSUPPORTED`.
 */
export function refuseCommand(sql: unknown): void {
  if (!(sql instanceof EventEmitter)) return;
  throw new StormlampError(
    ErrorCode.UNSUPPORTED,
    '`query` takes no command of createQuery(); give it the text, the values and the callback, and listen to the command that it returns',
  );
}

/** The longest time that a timer can wait, about 24 days. */
const LONGEST_MS = 2_147_483_647;

const LIMIT_SPELLINGS: ReadonlyMap<string, string> = new Map(
  ['timeoutMs', 'signal', 'maxLagMs', 'maxLagWithoutPrimaryMs', 'preference'].map((name) => [
    name.toLowerCase(),
    name,
  ]),
);

/**
 * mysql2 takes any name in silence, and libraries above it do send names of their own; a misspelt limit is no limit.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function refuseMisspelt(options: CallOptions): void {
  for (const name in options) {
    if (name.length < 6 || name.length > 26) continue;
    const meant = LIMIT_SPELLINGS.get(name.replaceAll('_', '').toLowerCase());
    if (meant !== undefined && meant !== name) rejectUnknownOptions('sql', { [name]: true }, [meant]);
  }
}

/** Those of a text that has them in it already. An empty list, because without any the driver looks for names in the text. */
const NO_VALUES: StatementValues = Object.freeze([]) as unknown as StatementValues;

function fill(
  mode: StatementMode,
  text: SqlText | undefined,
  sql: string,
  values: StatementValues | undefined,
  namedPlaceholders?: boolean,
): FilledText | undefined {
  // What is prepared goes to the server as it is, apart from its values.
  if (mode !== 'query' || values === undefined || text === undefined) return undefined;
  return text.fill(sql, values, namedPlaceholders);
}

/** A copy that its caller cannot change any more; of values that are objects only the outermost one. */
function kept(values: StatementValues | undefined): StatementValues | undefined {
  if (Array.isArray(values)) return values.slice();
  if (typeof values !== 'object' || values === null) return values;
  const prototype: unknown = Object.getPrototypeOf(values);
  return prototype === Object.prototype || prototype === null ? { ...values } : values;
}

/** A statement and the callback that came with it. */
export interface StatementCall {
  /** The statement. */
  readonly statement: Statement;
  /** The caller's callback; without one the answer goes to the listeners of the returned command. */
  readonly callback: StatementCallback | undefined;
}

/**
 * Reads the arguments of a callback call: the callback may stand in place of the values.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` when there is no SQL text.
 */
export function readStatementCall(
  mode: StatementMode,
  sql: string | StatementOptions,
  values: StatementValues | StatementCallback | undefined,
  callback: StatementCallback | undefined,
  text?: SqlText,
): StatementCall {
  if (typeof values === 'function') {
    return { statement: readStatement(mode, sql, undefined, text), callback: values as StatementCallback };
  }
  return { statement: readStatement(mode, sql, values, text), callback };
}

/** The answer of a statement that nothing was left to do for. */
export const nothingDone: StatementAnswer = [
  Object.freeze({
    affectedRows: 0,
    changedRows: 0,
    fieldCount: 0,
    info: '',
    insertId: 0,
    serverStatus: 2,
    warningStatus: 0,
  }),
  undefined,
] as unknown as StatementAnswer;
