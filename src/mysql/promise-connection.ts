/** The promise face of a checked-out connection: what mysql2's promise API calls a `PoolConnection`. */
import type {
  ConnectionOptions,
  ExecuteValues,
  FieldPacket,
  PrepareStatementInfo,
  QueryOptions,
  QueryResult,
  QueryValues,
} from 'mysql2';
import type { Connection as PromiseConnection } from 'mysql2/promise';
import type { CallOptions } from '../common/deadline.js';
import { withCaller } from './call-site.js';
import { ConnectionFace } from './connection-face.js';
import { type PreparedStatement, type PrepareOptions, readPrepare } from './prepared-statement.js';
import { readStatement, refuseCommand, type Statement, type StatementOptions } from './statement.js';

/**
 * A connection that one caller has to itself, assignable to `PoolConnection` of `mysql2/promise`.
 *
 * It takes a physical connection when a statement needs one: reads run on replicas, and from the first write on
 * everything runs on one connection to the primary until {@link MysqlConnection.release}.
 */
export class MysqlConnection extends ConnectionFace {
  /** The callback face, as drivers' tools expect it here. */
  get connection(): PromiseConnection {
    // mysql2 declares the promise type, and has the callback connection here.
    return this.faces.callback() as unknown as PromiseConnection;
  }

  /** Runs a statement as text. */
  query<T extends QueryResult>(sql: string, values?: QueryValues): Promise<[T, FieldPacket[]]>;
  /** Runs a statement as text, with options. */
  query<T extends QueryResult>(options: StatementOptions, values?: QueryValues): Promise<[T, FieldPacket[]]>;
  async query<T extends QueryResult>(
    sql: string | StatementOptions,
    values?: QueryValues,
  ): Promise<[T, FieldPacket[]]> {
    refuseCommand(sql);
    return this.#run<T>(readStatement('query', sql, values, this.faces.text));
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
    return this.#run<T>(readStatement('execute', sql, values, this.faces.text));
  }

  async #run<T extends QueryResult>(statement: Statement): Promise<[T, FieldPacket[]]> {
    try {
      return (await this.faces.virtual.run(statement)) as [T, FieldPacket[]];
    } catch (error) {
      throw this.faces.config.trace === false ? error : withCaller(error);
    }
  }

  /** Begins a read-write transaction on the primary. */
  beginTransaction(limits?: CallOptions): Promise<void> {
    return this.faces.virtual.command('START TRANSACTION', limits);
  }

  /** Commits. `ERR_OUTCOME_UNKNOWN` when the connection was lost meanwhile. */
  commit(limits?: CallOptions): Promise<void> {
    return this.faces.virtual.command('COMMIT', limits);
  }

  /** Rolls back; also acknowledges that a transaction was lost. */
  rollback(limits?: CallOptions): Promise<void> {
    return this.faces.virtual.command('ROLLBACK', limits);
  }

  /** Prepares a statement on the primary; the connection stays with it until the statement is closed. */
  async prepare(options: string | PrepareOptions, limits?: CallOptions): Promise<PreparedStatement> {
    const { form, limits: own } = readPrepare(options, limits);
    const handle = await this.faces.virtual.prepare(form, own);
    return {
      close: (limit) => handle.close(limit),
      execute: (values, limit) => handle.execute(values, limit) as never,
    };
  }

  /** Lets the driver forget a statement that `execute` prepared, and gives it; undefined when it knows none. */
  unprepare(sql: string | QueryOptions): PrepareStatementInfo | undefined {
    return this.faces.virtual.unprepare(sql as string);
  }

  /** Asks for a sign of life. */
  ping(limits?: CallOptions): Promise<void> {
    return this.faces.virtual.ping(limits);
  }

  /** Forgets all session state. */
  reset(limits?: CallOptions): Promise<void> {
    return this.faces.virtual.reset(limits);
  }

  /** Continues as another user, on the primary, until it is released. */
  changeUser(options: ConnectionOptions, limits?: CallOptions): Promise<void> {
    return this.faces.virtual.changeUser(options, limits);
  }

  /** Nothing: it connects when a statement needs it. */
  async connect(): Promise<void> {}

  /** Same as {@link MysqlConnection.release}. */
  async end(): Promise<void> {
    this.release();
  }

  /** Same as {@link MysqlConnection.release}. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }
}
