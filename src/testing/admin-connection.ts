/** The administrator's own way to a database node, past the proxy. */
import type { Connection as DriverConnection } from 'mysql2';
import { type Connection, createConnection } from 'mysql2/promise';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { followPacketOrder } from '../mysql/packet-order.js';
import type { LocalAccount } from './database/local-accounts.js';
import { LOCAL_HOST } from './process/free-port.js';

/** Whose connection it is. */
export interface AdminConnectionOptions {
  /** The node's name. */
  readonly name: string;
  /** The server's own port at the moment. */
  readonly port: () => number;
  /** Who logs in. */
  readonly account: LocalAccount;
}

/** How long a statement of the administrator may take. */
export const ADMIN_TIMEOUT_MS = 15_000;

/** One connection that is made when it is needed, and again after it broke. Statements run one after the other. */
export class AdminConnection {
  readonly #options: AdminConnectionOptions;
  #connection: Promise<Connection> | undefined;

  /** Makes nothing yet. */
  constructor(options: AdminConnectionOptions) {
    this.#options = options;
  }

  /** Whether the server lets the administrator in now. */
  async answers(): Promise<boolean> {
    try {
      await this.query('SELECT 1');
      return true;
    } catch {
      return false;
    }
  }

  /**
   * The rows of one statement; none for a statement without a result.
   *
   * @throws StormlampError `ERR_NODE_UNREACHABLE`, or `ERR_TIMEOUT` after `timeoutMs`; otherwise the server's error.
   */
  async query<T>(
    sql: string,
    params: readonly unknown[] = [],
    timeoutMs: number = ADMIN_TIMEOUT_MS,
  ): Promise<T[]> {
    const connection = await this.#connect(timeoutMs);
    try {
      const [rows] = await connection.query({ sql, values: [...params], timeout: timeoutMs });
      return Array.isArray(rows) ? (rows as T[]) : [];
    } catch (error) {
      const { code, fatal } = error as { code?: unknown; fatal?: unknown };
      if (code === 'PROTOCOL_SEQUENCE_TIMEOUT') {
        this.close();
        throw this.#error(ErrorCode.TIMEOUT, `did not answer within ${timeoutMs} ms; is it paused?`, error);
      }
      if (fatal === true) {
        this.close();
        throw this.#error(
          ErrorCode.NODE_UNREACHABLE,
          `closed the connection (${describeError(error)})`,
          error,
        );
      }
      throw error;
    }
  }

  /** Drops the connection; the next statement makes a new one. */
  close(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.then(
      (open) => open.destroy(),
      () => undefined,
    );
  }

  async #connect(timeoutMs: number): Promise<Connection> {
    const { account, port } = this.#options;
    const connecting =
      this.#connection ??
      createConnection({
        host: LOCAL_HOST,
        port: port(),
        user: account.user,
        password: account.password,
        connectTimeout: timeoutMs,
        charset: 'utf8mb4',
      });
    this.#connection = connecting;
    try {
      const connection = await connecting;
      // mysql2 tells of a lost idle connection by this event, and an unheard one ends the process.
      if (connection.listenerCount('error') === 0) {
        connection.on('error', () => this.close());
        followPacketOrder((connection as unknown as { readonly connection: DriverConnection }).connection);
      }
      return connection;
    } catch (error) {
      if (this.#connection === connecting) this.#connection = undefined;
      const refused = (error as { errno?: unknown }).errno;
      if (typeof refused === 'number' && refused >= 1_000) throw error;
      throw this.#error(ErrorCode.NODE_UNREACHABLE, `cannot be reached (${describeError(error)})`, error);
    }
  }

  #error(code: ErrorCode, what: string, cause: unknown): StormlampError {
    return new StormlampError(code, `${this.#options.name} ${what}`, { cause, node: this.#options.name });
  }
}
