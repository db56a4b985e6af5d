/** A connection to a real server whose session can be looked at and put back to its beginning. */
import { type Connection, createConnection } from 'mysql2/promise';
import type { Classification } from '../../../src/mysql/classifier/statement-classifier.js';

/** Errors that say that the server takes no writes. */
const READ_ONLY_ERRORS = [1290, 1792, 1836];

/** What a statement has done to its session, as far as it can be asked for. */
export type SessionState = Readonly<Record<string, unknown>>;

/** How a text ended. */
export interface Outcome {
  /** The server's error number, 0 when there was none, -1 when the connection is gone. */
  readonly errno: number;
  /** Whether the server refused it because it takes no writes. */
  readonly isRefused: boolean;
}

const STATE = `SELECT @a, @b, @c, @'x', IS_USED_LOCK('a'), IS_USED_LOCK('b'), DATABASE(), @@autocommit, @@sql_mode, @@time_zone,
  @@character_set_client, @@character_set_results, @@collation_connection, @@last_insert_id, @@foreign_key_checks`;

/** A session on one server. */
export class LiveSession {
  #connection: Connection;
  readonly #url: string;
  readonly #setup: readonly string[];

  private constructor(connection: Connection, url: string, setup: readonly string[]) {
    this.#connection = connection;
    this.#url = url;
    this.#setup = setup;
  }

  /** Connects, and runs `setup` now and after every reset. */
  static async open(url: string, setup: readonly string[]): Promise<LiveSession> {
    const session = new LiveSession(await connect(url), url, setup);
    await session.#setUp();
    return session;
  }

  /** Runs a text and takes whatever comes of it. */
  async run(sql: string): Promise<Outcome> {
    try {
      await this.#connection.query(sql);
      return { errno: 0, isRefused: false };
    } catch (error) {
      const { errno = -1 } = error as { errno?: number };
      return { errno, isRefused: READ_ONLY_ERRORS.includes(errno) };
    }
  }

  /** The first value of the first row. */
  async value(sql: string): Promise<unknown> {
    const [rows] = await this.#connection.query({ sql, rowsAsArray: true });
    return (rows as unknown as unknown[][])[0]?.[0];
  }

  /** Everything that can be asked for without touching a table. */
  async state(): Promise<SessionState> {
    const [rows] = await this.#connection.query(STATE);
    return (rows as SessionState[])[0] ?? {};
  }

  /** Whether a transaction is open. */
  async isInTransaction(): Promise<boolean> {
    const [header] = await this.#connection.query('DO 0');
    return ((header as { serverStatus?: number }).serverStatus ?? 0) % 2 === 1;
  }

  /** A session as if just connected; a new connection when the server has closed this one. */
  async reset(): Promise<void> {
    try {
      await this.#connection.reset();
    } catch {
      this.#connection.destroy();
      this.#connection = await connect(this.#url);
    }
    await this.#setUp();
  }

  async close(): Promise<void> {
    await this.#connection.end().catch(() => this.#connection.destroy());
  }

  async #setUp(): Promise<void> {
    for (const sql of this.#setup) await this.#connection.query(sql);
  }
}

async function connect(uri: string): Promise<Connection> {
  const connection = await createConnection({ uri, multipleStatements: true });
  // A lost connection shows in the next statement.
  connection.on('error', () => undefined);
  return connection;
}

/** Whether a transaction is open after a statement that succeeded; `undefined` when its text does not tell. */
export function isOpenAfter(given: Classification, isOpen: boolean): boolean | undefined {
  const { kind, transaction, implicitCommit, pins, unpins } = given;
  if (kind === 'unknown' || pins.includes('xa') || unpins.includes('xa')) return undefined;
  const stillOpen = isOpen && !implicitCommit;
  switch (transaction) {
    case 'begin':
    case 'begin-read-only':
    case 'begin-read-write':
      return true;
    case 'commit':
    case 'rollback':
      return false;
    case 'autocommit-on':
    case 'autocommit-off':
      return undefined;
    default:
      return stillOpen;
  }
}
