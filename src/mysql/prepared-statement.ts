/** Statements that a caller prepares and keeps. */
import type { PrepareStatementInfo, QueryOptions } from 'mysql2';
import type { CallOptions } from '../common/deadline.js';
import type { PhysicalConnection } from './physical-connection.js';
import type { StatementAnswer, StatementValues } from './statement.js';

/** A prepared statement. It lives on one connection and is gone with it. */
export interface PreparedHandle {
  /** Runs it with `values` for its placeholders. */
  execute(values?: StatementValues, limits?: CallOptions): Promise<StatementAnswer>;
  /** Gives it up, and with it what ties the connection. */
  close(): Promise<void>;
}

/** Prepares a statement on a connection. */
export function prepareOn(
  connection: PhysicalConnection,
  options: QueryOptions,
): Promise<PrepareStatementInfo> {
  return new Promise((resolve, reject) => {
    // The driver takes an options object, whatever its types say; its cache of statements is keyed by all of it.
    connection.raw.prepare(options as unknown as string, (error, statement) =>
      error ? reject(error) : resolve(statement),
    );
  });
}
