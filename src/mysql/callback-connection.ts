/** The callback face of a checked-out connection: what mysql2's callback API calls a `PoolConnection`. */
import type { ConnectionOptions, PrepareStatementInfo, Query, QueryError, QueryResult } from 'mysql2';
import { ConnectionFace } from './connection-face.js';
import { DeferredCommand } from './deferred-command.js';
import { type PreparedHandle, type PrepareOptions, readPrepare } from './prepared-statement.js';
import type { MysqlConnection } from './promise-connection.js';
import type { SqlText } from './sql-text.js';
import {
  readStatement,
  readStatementCall,
  refuseCommand,
  type Statement,
  type StatementAnswer,
  type StatementCallback,
  type StatementMode,
  type StatementOptions,
  type StatementValues,
} from './statement.js';

/** A callback that is told whether something worked. */
export type DoneCallback = (error: QueryError | null) => unknown;

/** Runs a statement of the callback API: an answer for the callback, or rows for the listeners of the returned command. */
export function runCallback(
  mode: StatementMode,
  sql: string | StatementOptions,
  values: StatementValues | StatementCallback | undefined,
  callback: StatementCallback | undefined,
  run: (statement: Statement, command: DeferredCommand | undefined) => Promise<StatementAnswer>,
  text: SqlText,
): Query {
  const call = readStatementCall(mode, sql, values, callback, text);
  const given = typeof values === 'function' || values === undefined ? undefined : values;
  const command = new DeferredCommand(
    call.statement,
    given ?? (typeof sql === 'object' ? sql.values : undefined),
  );
  const done = call.callback;
  run(call.statement, done === undefined ? command : undefined).then(
    ([rows, fields]) => settle(command, undefined, done, rows, fields),
    (error: unknown) => settle(command, error, done),
  );
  // Two methods by which the driver feeds its own commands are all that is missing.
  return command as unknown as Query;
}

/** Calls back from outside the promise, so that what the callback throws is the process's concern and not ours. */
export function callBack(work: Promise<unknown>, callback: DoneCallback | undefined): void {
  work.then(
    () => process.nextTick(() => callback?.(null)),
    (error: unknown) => process.nextTick(() => callback?.(error as QueryError)),
  );
}

function settle(
  command: DeferredCommand,
  error: unknown,
  callback: StatementCallback | undefined,
  rows?: StatementAnswer[0],
  fields?: StatementAnswer[1],
): void {
  process.nextTick(() => {
    if (callback === undefined) {
      command.settle(error);
      return;
    }
    if (error === undefined) callback(null, rows as QueryResult, fields as StatementAnswer[1]);
    else (callback as DoneCallback)(error as QueryError);
    command.emit('end');
  });
}

/** {@link runCallback} of a pool: what is wrong with the arguments is told where everything else is, as by the driver's. */
export function runPoolCallback(...call: Parameters<typeof runCallback>): Query {
  try {
    return runCallback(...call);
  } catch (error) {
    const [mode, , values, callback] = call;
    const command = new DeferredCommand(readStatement(mode, '', undefined));
    settle(command, error, typeof values === 'function' ? (values as StatementCallback) : callback);
    return command as unknown as Query;
  }
}

/**
 * A connection that one caller has to itself, in the form of mysql2's callback API. See {@link MysqlConnection} for where
 * its statements run.
 */
export class CallbackConnection extends ConnectionFace {
  /** What validating pools look at; a virtual connection is not broken by the loss of a physical one. */
  readonly _fatalError: null = null;
  /** See {@link CallbackConnection._fatalError}. */
  readonly _protocolError: null = null;
  /** Itself, as drivers' tools expect it here. */
  get connection(): this {
    return this;
  }

  /** Whether it was released or destroyed. */
  get _closing(): boolean {
    return !this.faces.virtual.isOpen;
  }

  /** As much of a socket as validating pools look at. */
  get stream(): { readonly destroyed: boolean } {
    return { destroyed: !this.faces.virtual.isOpen };
  }

  /** Whether it can be used. */
  get authorized(): boolean {
    return this.faces.virtual.isOpen;
  }

  /** The promise face of the same connection. */
  promise(): MysqlConnection {
    return this.faces.promise();
  }

  /** Runs a statement as text. Without a callback the returned command has the rows as events, or as a stream. */
  query<T extends QueryResult>(sql: string | StatementOptions, callback?: StatementCallback<T>): Query;
  /** Runs a statement as text. Without a callback the returned command has the rows as events, or as a stream. */
  query<T extends QueryResult>(
    sql: string | StatementOptions,
    values: StatementValues,
    callback?: StatementCallback<T>,
  ): Query;
  query(
    sql: string | StatementOptions,
    values?: StatementValues | StatementCallback,
    callback?: StatementCallback,
  ): Query {
    refuseCommand(sql);
    return this.#run('query', sql, values, callback);
  }

  /** Runs a prepared statement. */
  execute<T extends QueryResult>(sql: string | StatementOptions, callback?: StatementCallback<T>): Query;
  /** Runs a prepared statement. */
  execute<T extends QueryResult>(
    sql: string | StatementOptions,
    values: StatementValues,
    callback?: StatementCallback<T>,
  ): Query;
  execute(
    sql: string | StatementOptions,
    values?: StatementValues | StatementCallback,
    callback?: StatementCallback,
  ): Query {
    return this.#run('execute', sql, values, callback);
  }

  /** Begins a read-write transaction on the primary. */
  beginTransaction(callback?: DoneCallback): void {
    callBack(this.faces.virtual.command('START TRANSACTION'), callback);
  }

  /** Commits. */
  commit(callback?: DoneCallback): void {
    callBack(this.faces.virtual.command('COMMIT'), callback);
  }

  /** Rolls back. */
  rollback(callback?: DoneCallback): void {
    callBack(this.faces.virtual.command('ROLLBACK'), callback);
  }

  /** Prepares a statement on the primary; the connection stays with it until the statement is closed. */
  prepare(
    options: string | PrepareOptions,
    callback?: (error: QueryError | null, statement?: CallbackStatement) => unknown,
  ): void {
    const { form, limits } = readPrepare(options, undefined);
    this.faces.virtual.prepare(form, limits).then(
      (handle) => process.nextTick(() => callback?.(null, statementOf(handle))),
      (error: unknown) => process.nextTick(() => callback?.(error as QueryError)),
    );
  }

  /** Lets the driver forget a statement that `execute` prepared. */
  unprepare(sql: string): PrepareStatementInfo | undefined {
    return this.faces.virtual.unprepare(sql);
  }

  /** Asks for a sign of life. */
  ping(callback?: DoneCallback): void {
    callBack(this.faces.virtual.ping(), callback);
  }

  /** Forgets all session state. */
  reset(callback?: DoneCallback): void {
    callBack(this.faces.virtual.reset(), callback);
  }

  /** Continues as another user, on the primary, until it is released. */
  changeUser(options: ConnectionOptions, callback?: DoneCallback): void {
    callBack(this.faces.virtual.changeUser(options), callback);
  }

  /** Nothing: it connects when a statement needs it. */
  connect(callback?: DoneCallback): void {
    callBack(Promise.resolve(), callback);
  }

  /** Same as {@link CallbackConnection.release}. */
  end(options?: unknown, callback?: DoneCallback): void {
    this.release();
    callBack(Promise.resolve(), typeof options === 'function' ? (options as DoneCallback) : callback);
  }

  /** Same as {@link CallbackConnection.destroy}. */
  close(): void {
    this.faces.virtual.destroy();
  }

  /** Same as {@link CallbackConnection.release}. */
  [Symbol.dispose](): void {
    this.release();
  }

  #run(
    mode: StatementMode,
    sql: string | StatementOptions,
    values: StatementValues | StatementCallback | undefined,
    callback: StatementCallback | undefined,
  ): Query {
    const { virtual } = this.faces;
    const run = (statement: Statement, command: DeferredCommand | undefined) =>
      virtual.run(statement, command);
    return runCallback(mode, sql, values, callback, run, this.faces.text);
  }
}

/** A prepared statement of the callback API. */
export interface CallbackStatement {
  /** Runs it; the callback may stand in place of the values. */
  execute(values?: StatementValues | StatementCallback, callback?: StatementCallback): void;
  /** Gives it up. */
  close(): void;
}

function statementOf(handle: PreparedHandle): CallbackStatement {
  return {
    execute(values, callback) {
      const inPlace = typeof values === 'function';
      const done = inPlace ? (values as StatementCallback) : callback;
      handle.execute(inPlace ? undefined : values).then(
        ([rows, fields]) => process.nextTick(() => done?.(null, rows, fields)),
        (error: unknown) => process.nextTick(() => (done as DoneCallback | undefined)?.(error as QueryError)),
      );
    },
    close() {
      handle.close().catch(() => undefined);
    },
  };
}
