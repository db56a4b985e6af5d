/** The callback face of the whole cluster: what mysql2's callback API calls a `Pool`. */
import { EventEmitter } from 'node:events';
import type {
  ConnectionOptions,
  PoolConnection,
  PrepareStatementInfo,
  Query,
  QueryError,
  QueryResult,
} from 'mysql2';
import {
  type CallbackConnection,
  callBack,
  type DoneCallback,
  runPoolCallback,
} from './callback-connection.js';
import type { DeferredCommand } from './deferred-command.js';
import type { MysqlCluster } from './mysql-cluster.js';
import type { MysqlConnection } from './promise-connection.js';
import type { SqlText } from './sql-text.js';
import type {
  Statement,
  StatementAnswer,
  StatementCallback,
  StatementOptions,
  StatementValues,
} from './statement.js';

/** What a {@link CallbackPool} needs of its cluster. */
export interface CallbackPoolParts {
  /** The promise face. */
  readonly cluster: MysqlCluster;
  /** Runs one statement outside any checkout. */
  readonly run: (statement: Statement, command: DeferredCommand | undefined) => Promise<StatementAnswer>;
  /** Puts values into texts. */
  readonly text: SqlText;
  /** The callback face of a checkout. */
  readonly faceOf: (connection: MysqlConnection) => CallbackConnection;
}

/** Names of the pool's events that are passed on. */
const EVENTS: readonly unknown[] = ['connection', 'acquire', 'release'];

/** A cluster in the form of mysql2's callback pool. Made by `MysqlCluster.callbackPool()`. */
export class CallbackPool extends EventEmitter {
  readonly #parts: CallbackPoolParts;
  readonly #passedOn = new Set<string>();

  /** @internal */
  constructor(parts: CallbackPoolParts) {
    super();
    this.#parts = parts;
    this.on('newListener', (event: 'connection' | 'acquire' | 'release') => {
      if (EVENTS.includes(event) && this.listenerCount(event) === 0) this.#passOn(event);
    });
  }

  #passOn(event: 'connection' | 'acquire' | 'release'): void {
    const { cluster, faceOf } = this.#parts;
    if (this.#passedOn.has(event)) return;
    this.#passedOn.add(event);
    if (event !== 'connection') cluster.on(event, (connection) => this.emit(event, faceOf(connection)));
    // What the listeners return is waited for.
    else cluster.on(event, (connection) => this.rawListeners(event).map((listener) => listener(connection)));
  }

  /** The options of the nodes' connections, without secrets. */
  get config(): ConnectionOptions {
    return this.#parts.cluster.config;
  }

  /** Runs a statement as text, outside any checkout. */
  query<T extends QueryResult>(sql: string | StatementOptions, callback?: StatementCallback<T>): Query;
  /** Runs a statement as text, outside any checkout. */
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
    return runPoolCallback('query', sql, values, callback, this.#parts.run, this.#parts.text);
  }

  /** Runs a prepared statement, outside any checkout. */
  execute<T extends QueryResult>(sql: string | StatementOptions, callback?: StatementCallback<T>): Query;
  /** Runs a prepared statement, outside any checkout. */
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
    return runPoolCallback('execute', sql, values, callback, this.#parts.run, this.#parts.text);
  }

  /** Checks a connection out. */
  getConnection(callback: (error: QueryError | null, connection: PoolConnection) => unknown): void {
    const { cluster, faceOf } = this.#parts;
    cluster.getConnection().then(
      (connection) => process.nextTick(() => callback(null, faceOf(connection) as unknown as PoolConnection)),
      (error: unknown) => process.nextTick(() => callback(error as QueryError, undefined as never)),
    );
  }

  /** Gives a connection back. */
  releaseConnection(connection: { release(): void }): void {
    connection.release();
  }

  /** Closes the cluster. */
  end(callback?: DoneCallback): void {
    callBack(this.#parts.cluster.end(), callback);
  }

  /** The promise face. */
  promise(): MysqlCluster {
    return this.#parts.cluster;
  }

  /** Nothing, which mysql2's type cannot say: statements are prepared per physical connection, and forgotten with it. */
  unprepare(_sql: string): PrepareStatementInfo {
    return undefined as unknown as PrepareStatementInfo;
  }

  /** A value as SQL text. */
  escape(value: unknown): string {
    return this.#parts.cluster.escape(value);
  }

  /** A name as SQL text. */
  escapeId(name: string | string[]): string {
    return this.#parts.cluster.escapeId(name);
  }

  /** A text with its values put in. */
  format(sql: string, values?: unknown): string {
    return this.#parts.cluster.format(sql, values);
  }

  /** Closes the cluster. */
  [Symbol.dispose](): void {
    this.end();
  }
}
