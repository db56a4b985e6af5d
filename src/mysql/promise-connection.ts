/** The promise face of a checked-out connection: what mysql2's promise API calls a `PoolConnection`. */
import { EventEmitter } from 'node:events';
import type {
  ConnectionOptions,
  ConnectionState,
  ExecuteValues,
  FieldPacket,
  QueryOptions,
  QueryResult,
  QueryValues,
} from 'mysql2';
import type { PreparedStatementInfo, Connection as PromiseConnection } from 'mysql2/promise';
import type { CallOptions } from '../common/deadline.js';
import type { CallbackConnection } from './callback-connection.js';
import type { SqlText } from './sql-text.js';
import { readStatement, type StatementOptions } from './statement.js';
import type { VirtualConnection } from './virtual-connection.js';

/** What the faces of a connection share. */
export interface ConnectionFaces {
  /** The connection behind both faces. */
  readonly virtual: VirtualConnection;
  /** Puts values into texts as the nodes' options say. */
  readonly text: SqlText;
  /** The options of the nodes' connections, without secrets. */
  readonly config: ConnectionOptions;
  /** The callback face of the same connection. */
  callback(): CallbackConnection;
  /** The promise face of the same connection. */
  promise(): MysqlConnection;
}

/**
 * A connection that one caller has to itself, assignable to `PoolConnection` of `mysql2/promise`.
 *
 * It takes a physical connection when a statement needs one: reads run on replicas, and from the first write on
 * everything runs on one connection to the primary until {@link MysqlConnection.release}.
 */
export class MysqlConnection extends EventEmitter {
  readonly #faces: ConnectionFaces;

  /** @internal */
  constructor(faces: ConnectionFaces) {
    super();
    this.#faces = faces;
  }

  /** The callback face, as drivers' tools expect it here. */
  get connection(): PromiseConnection {
    // mysql2 declares the promise type, and has the callback connection here.
    return this.#faces.callback() as unknown as PromiseConnection;
  }

  /** The options of the nodes' connections, without secrets. */
  get config(): ConnectionOptions {
    return this.#faces.config;
  }

  /** The server's id of the session; undefined while it is bound to no server, which mysql2's type cannot say. */
  get threadId(): number {
    return this.#faces.virtual.threadId as number;
  }

  /** The node that it is bound to now; undefined while it is bound to none. */
  get node(): string | undefined {
    return this.#faces.virtual.node;
  }

  /** `'authenticated'` until it is released. */
  get state(): ConnectionState {
    return this.#faces.virtual.isOpen ? 'authenticated' : 'disconnected';
  }

  /** Runs a statement as text. */
  query<T extends QueryResult>(sql: string, values?: QueryValues): Promise<[T, FieldPacket[]]>;
  /** Runs a statement as text, with options. */
  query<T extends QueryResult>(options: StatementOptions, values?: QueryValues): Promise<[T, FieldPacket[]]>;
  async query<T extends QueryResult>(
    sql: string | StatementOptions,
    values?: QueryValues,
  ): Promise<[T, FieldPacket[]]> {
    return (await this.#faces.virtual.run(readStatement('query', sql, values))) as [T, FieldPacket[]];
  }

  /** Runs a prepared statement. */
  execute<T extends QueryResult>(sql: string, values?: ExecuteValues): Promise<[T, FieldPacket[]]>;
  /** Runs a prepared statement, with options. */
  execute<T extends QueryResult>(
    options: StatementOptions,
    values?: ExecuteValues,
  ): Promise<[T, FieldPacket[]]>;
  async execute<T extends QueryResult>(
    sql: string | StatementOptions,
    values?: ExecuteValues,
  ): Promise<[T, FieldPacket[]]> {
    return (await this.#faces.virtual.run(readStatement('execute', sql, values))) as [T, FieldPacket[]];
  }

  /** Begins a read-write transaction on the primary. */
  beginTransaction(limits?: CallOptions): Promise<void> {
    return this.#faces.virtual.command('START TRANSACTION', limits);
  }

  /** Commits. `ERR_OUTCOME_UNKNOWN` when the connection was lost meanwhile. */
  commit(limits?: CallOptions): Promise<void> {
    return this.#faces.virtual.command('COMMIT', limits);
  }

  /** Rolls back; also acknowledges that a transaction was lost. */
  rollback(limits?: CallOptions): Promise<void> {
    return this.#faces.virtual.command('ROLLBACK', limits);
  }

  /** Prepares a statement on the primary; the connection stays with it until the statement is closed. */
  async prepare(options: string | QueryOptions): Promise<PreparedStatementInfo> {
    const handle = await this.#faces.virtual.prepare(
      typeof options === 'string' ? { sql: options } : options,
    );
    return {
      close: () => handle.close(),
      execute: (values?: ExecuteValues) => handle.execute(values) as never,
    };
  }

  /** Lets the driver forget a statement that `execute` prepared. */
  unprepare(sql: string | QueryOptions): void {
    this.#faces.virtual.unprepare(sql as string);
  }

  /** Asks for a sign of life. */
  ping(limits?: CallOptions): Promise<void> {
    return this.#faces.virtual.ping(limits);
  }

  /** Forgets all session state. */
  reset(): Promise<void> {
    return this.#faces.virtual.reset();
  }

  /** Continues as another user, on the primary, until it is released. */
  changeUser(options: ConnectionOptions): Promise<void> {
    return this.#faces.virtual.changeUser(options);
  }

  /** Nothing: it connects when a statement needs it. */
  async connect(): Promise<void> {}

  /** Same as {@link MysqlConnection.release}. */
  async end(): Promise<void> {
    this.release();
  }

  /** Gives the connection back when the statements that were begun are done. */
  release(): void {
    this.#faces.virtual.release();
  }

  /** Closes the physical connection at once. */
  destroy(): void {
    this.#faces.virtual.destroy();
  }

  /** Stops reading from the server, while it is bound to one. */
  pause(): void {
    this.#faces.virtual.raw?.pause();
  }

  /** Reads on. */
  resume(): void {
    this.#faces.virtual.raw?.resume();
  }

  /** A value as SQL text. */
  escape(value: unknown): string {
    return this.#faces.text.escape(value);
  }

  /** A name as SQL text. */
  escapeId(name: string | string[]): string {
    return this.#faces.text.escapeId(name);
  }

  /** A text with its values put in. */
  format(sql: string, values?: unknown): string {
    return this.#faces.text.format(sql, values);
  }

  /** Same as {@link MysqlConnection.release}. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }
}
