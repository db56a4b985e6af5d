/** Statements that a caller prepares and keeps. */
import type { ExecuteValues, FieldPacket, PrepareStatementInfo, QueryOptions, QueryResult } from 'mysql2';
import type { CallOptions } from '../common/deadline.js';
import { invalidOption } from '../common/option-reader.js';
import type { PhysicalConnection } from './physical-connection.js';
import { refuseText } from './sending-guard.js';
import { refuseMisspelt, type StatementAnswer, type StatementValues } from './statement.js';

/** A prepared statement. It lives on one connection and is gone with it. */
export interface PreparedHandle {
  /** Runs it with `values` for its placeholders. */
  execute(values?: StatementValues, limits?: CallOptions): Promise<StatementAnswer>;
  /** Gives it up, and with it what ties the connection. */
  close(limits?: CallOptions): Promise<void>;
}

/** What `prepare` takes besides a text: mysql2's options of a statement, and limits of the call. */
export interface PrepareOptions extends QueryOptions, CallOptions {}

/** A prepared statement of a promise connection; assignable to mysql2's `PreparedStatementInfo`. */
export interface PreparedStatement {
  /** Runs it with `values` for its placeholders. */
  execute<T extends QueryResult = QueryResult>(
    values?: ExecuteValues,
    limits?: CallOptions,
  ): Promise<[T, FieldPacket[]]>;
  /** Gives it up, and with it what ties the connection. */
  close(limits?: CallOptions): Promise<void>;
}

/**
 * Reads the arguments of `prepare`: what goes to the driver, and the limits of the call.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` when there is no SQL text or a limit is misspelt.
 */
export function readPrepare(
  options: string | PrepareOptions,
  limits: CallOptions | undefined,
): { readonly form: QueryOptions; readonly limits: CallOptions | undefined } {
  if (typeof options === 'string') return { form: { sql: options }, limits };
  if (typeof options !== 'object' || options === null) {
    throw invalidOption('options', 'a string or an options object', options);
  }
  if (typeof options.sql !== 'string') throw invalidOption('options.sql', 'a string', options.sql);
  refuseMisspelt(options);
  const { timeoutMs, signal, ...own } = options;
  // Objects of template libraries have it as a getter of their class.
  const form: QueryOptions = { ...own, sql: options.sql };
  if (limits !== undefined || (timeoutMs === undefined && signal === undefined)) return { form, limits };
  return { form, limits: { timeoutMs, signal } };
}

/** Prepares a statement on a connection. */
export function prepareOn(
  connection: PhysicalConnection,
  options: QueryOptions,
): Promise<PrepareStatementInfo> {
  return new Promise((resolve, reject) => {
    refuseText(connection, options.sql);
    // The driver takes an options object, whatever its types say; its cache of statements is keyed by all of it.
    connection.raw.prepare(options as unknown as string, (error, statement) =>
      error ? reject(error) : resolve(statement),
    );
  });
}
