/** One real connection to one node, with what the pool and the borrowers need to know about it. */
import type { Socket } from 'node:net';
import type { Connection, QueryError, RowDataPacket } from 'mysql2';
import type { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { Flavor } from '../topology/node-description.js';
import type { MysqlCredentials } from './connection-settings.js';
import { isAtLeast, type ServerVersion } from './server-version.js';
import { sqlModeTold } from './sql-mode.js';
import { hidePasswords } from './without-passwords.js';

/** What a {@link PhysicalConnection} is made of. */
export interface PhysicalConnectionParts {
  /** The node. */
  readonly node: NodeId;
  /** The driver's connection, already logged in. */
  readonly raw: Connection;
  /** What the user's function gave to log in with; undefined where there is none. */
  readonly login?: MysqlCredentials | undefined;
  /** What the server said of itself in the handshake. */
  readonly version: ServerVersion;
  /** The statement that sets the session up, its character set only where it has none of its own already. */
  setupSql(hasOwnCharset: boolean): string;
}

/** A connection of mysql2's callback API that never crashes the process and knows when it is lost. */
export class PhysicalConnection {
  /** The node. */
  readonly node: NodeId;
  /** The driver's connection. */
  readonly raw: Connection;
  /** What the user's function gave to log in with, which may be another account than it gives now; undefined where there is none. */
  readonly login: MysqlCredentials | undefined;
  /** The id of the session on the server, as `KILL` wants it. */
  readonly threadId: number;
  /** The family of the server. */
  readonly flavor: Flavor;
  /** The version of the server. */
  readonly version: ServerVersion;
  /** When it was made, in monotonic milliseconds. */
  readonly madeAt: number = performance.now();
  /** The generation of the pool that made it; a pool that was retired takes none of an earlier one back. */
  generation = 0;
  /** Set by a borrower who may have left something in the session; the pool then resets it before the next one. */
  touched = false;
  /** The place in the application that holds it now, while leaks are looked for. */
  borrower: string | undefined;
  /**
   * The `sql_mode` of its session, as the server told it; undefined when it did not, or may have another one by now. Equal
   * modes are the same string.
   */
  sqlMode: string | undefined;
  /** Set once the server has told a GTID on it: from then on, a commit without one has committed nothing that has one. */
  tellsGtids = false;
  /** Whether the transaction under way may have met what others had just written: the GTID of its commit covers that, if it has one. */
  hasMet = false;
  /**
   * Which server it is on; undefined when the server did not say, or calls the session by another number than the handshake did,
   * as behind a proxy that speaks the protocol.
   */
  server: string | undefined;
  /** What listeners sent when it was new, each to be sent again after a reset. */
  readonly repeated: (() => Promise<unknown>)[] = [];
  /** A packet of so many bytes is too long for its session (`max_allowed_packet`), as far as the server said. */
  maxPacket: number = Number.POSITIVE_INFINITY;
  readonly #setupSql: string;
  readonly #parts: PhysicalConnectionParts;
  #isPaused = false;
  readonly #resumed: (() => void)[] = [];
  #lost: Error | undefined;
  #listeners = new Set<(error: Error) => void>();

  /** Takes over a connection that is logged in; the session is not set up yet. */
  constructor(parts: PhysicalConnectionParts) {
    this.node = parts.node;
    this.raw = parts.raw;
    this.login = parts.login;
    this.threadId = parts.raw.threadId;
    this.version = parts.version;
    this.flavor = parts.version.flavor;
    this.#parts = parts;
    this.#setupSql = parts.setupSql(false);
    // Without a listener an idle connection that the server kills would end the process.
    this.raw.on('error', (error: Error) => this.#lose(error));
    this.raw.on('end', () => this.#lose(undefined));
    socketOf(this.raw).once('close', () => this.#lose(undefined));
  }

  /** Why the connection cannot be used any more; undefined while it can, as far as is known. */
  get lost(): Error | undefined {
    return this.#lost;
  }

  /** Calls `listener` once when the connection is lost; at once if it already is. What it returns takes the listener away. */
  onLost(listener: (error: Error) => void): () => void {
    if (this.#lost === undefined) this.#listeners.add(listener);
    else listener(this.#lost);
    return () => this.#listeners.delete(listener);
  }

  /** Brings the session into the state that every borrower expects. Rejects with the server's error. */
  async setUp(deadline: Deadline, hasOwnCharset = false): Promise<void> {
    const sql = hasOwnCharset ? this.#parts.setupSql(true) : this.#setupSql;
    const answer: unknown = await this.ask(sql, deadline);
    this.sqlMode = sqlModeTold(answer);
  }

  /**
   * Sets the session up after it was forgotten, but for a character set of its own, and repeats what listeners sent when it was
   * new. Rejects with the server's error.
   */
  async setUpAgain(deadline: Deadline, hasOwnCharset = false): Promise<void> {
    const done = Promise.all([
      this.setUp(deadline, hasOwnCharset),
      ...this.repeated.map((repeat) => repeat()),
    ]);
    const [, ...answers] = await deadline.race('The reset', done);
    // The answers may have come in one piece: what was sent last counts.
    const mode = answers.map(sqlModeTold).findLast((told) => told !== undefined);
    if (mode !== undefined) this.sqlMode = mode;
  }

  /** Finds out which server it is on, and how long a packet may be. Never rejects. */
  async identify(deadline: Deadline): Promise<void> {
    const question =
      "SELECT CONNECTION_ID() AS id, CONCAT_WS(' ', @@hostname, @@port, @@server_id) AS server, @@max_allowed_packet AS packet";
    try {
      const [row] = await this.ask(question, deadline);
      const { id, server, packet } = row as Readonly<Record<string, unknown>>;
      this.server = Number(id) === this.threadId && typeof server === 'string' ? server : undefined;
      if (Number(packet) > 0) this.maxPacket = Number(packet);
    } catch {
      this.server = undefined;
    }
  }

  /**
   * Forgets whatever the last borrower left in the session, and sets it up again. The connection must be idle; after a
   * rejection it must not be used again.
   */
  async reset(deadline: Deadline): Promise<void> {
    if (!canReset(this.version)) {
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        `Node ${this.node} (${this.version.text}) cannot reset a connection; it is replaced instead`,
        { node: this.node },
      );
    }
    const forgotten = this.#command(deadline, 'The reset', (done) => this.raw.reset(done));
    // Queued behind the reset at once: one pass through the event loop less.
    const ready = this.setUpAgain(deadline);
    const [first, second] = await Promise.allSettled([forgotten, ready]);
    if (first.status === 'rejected') throw first.reason;
    if (second.status === 'rejected') throw second.reason;
    this.touched = false;
  }

  /** Resolves when the server gives a sign of life. After a rejection the connection must not be used again. */
  async ping(deadline: Deadline): Promise<void> {
    await this.#command(deadline, 'The ping', (done) => this.raw.ping(done));
  }

  /** The rows of one statement as the driver gives them; errors tell no password that is in it. After `ERR_TIMEOUT` or `ERR_ABORTED` it may still be running. */
  ask(sql: string, deadline: Deadline): Promise<readonly RowDataPacket[]> {
    const work = new Promise<readonly RowDataPacket[]>((resolve, reject) => {
      // The caller's own conversions must not change what we read.
      const options = { sql, rowsAsArray: false, nestTables: false, typeCast: true, dateStrings: false };
      this.raw.query<RowDataPacket[]>(options, (error, rows) =>
        error ? reject(hidePasswords(error)) : resolve(rows),
      );
    });
    return deadline.race('The statement', work);
  }

  /** Stops reading what the server sends. */
  pause(): void {
    this.#isPaused = true;
    this.raw.pause();
  }

  /** Reads on, if it was paused. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.raw.resume();
    for (const listener of this.#resumed.splice(0)) listener();
  }

  /**
   * Resolves when the connection is read again, or lost; undefined while it is read. The driver forgets a statement that is
   * sent to a paused connection.
   */
  whenRead(): Promise<void> | undefined {
    if (!this.#isPaused) return undefined;
    return new Promise((resolve) => {
      const forget = this.onLost(() => resolve());
      this.#resumed.push(() => {
        forget();
        resolve();
      });
    });
  }

  /** Closes the prepared statements that the driver keeps, as far as `mayClose` says of their ids; how many those were. */
  forgetStatements(mayClose: (id: number) => boolean): number {
    const kept = keptStatements(this.raw);
    let closed = 0;
    for (const [key, { id }] of [...(kept?.entries() ?? [])]) {
      if (mayClose(id) && kept?.delete(key) === true) closed += 1;
    }
    return closed;
  }

  /** Says goodbye to the server, and closes the socket at the latest at the deadline. Never rejects. */
  async end(deadline: Deadline): Promise<void> {
    if (this.#lost === undefined && !socketOf(this.raw).destroyed) {
      await this.#command(deadline, 'The end', (done) => this.raw.end(done)).catch(() => undefined);
    }
    this.destroy();
  }

  /** Closes the socket at once; the connection counts as lost from now on. */
  destroy(): void {
    this.#lose(connectionLost('The connection was closed by this process.'));
    this.raw.destroy();
    // The driver only half-closes; a server that does not answer would keep the socket for ever.
    socketOf(this.raw).destroy();
  }

  #command(
    deadline: Deadline,
    what: string,
    send: (done: (error: QueryError | null) => void) => void,
  ): Promise<void> {
    const work = new Promise<void>((resolve, reject) => {
      send((error) => (error ? reject(error) : resolve()));
    });
    return deadline.race(what, work);
  }

  #lose(error: Error | undefined): void {
    if (this.#lost !== undefined) return;
    const reason = error ?? connectionLost('Connection lost: The server closed the connection.');
    this.#lost = reason;
    const listeners = this.#listeners;
    this.#listeners = new Set();
    for (const listener of listeners) listener(reason);
  }
}

/** The socket of a connection of the driver, whose types do not show it. With TLS it is the encrypted one. */
export function socketOf(raw: Connection): Socket {
  return (raw as unknown as { readonly stream: Socket }).stream;
}

/** What the driver keeps of the statements that it prepared; to delete one of them closes it on the server. */
function keptStatements(raw: Connection): KeptStatements | undefined {
  return (raw as unknown as { readonly _statements?: KeptStatements })._statements;
}

interface KeptStatements {
  entries(): Iterable<readonly [string, { readonly id: number }]>;
  delete(key: string): boolean;
}

/** COM_RESET_CONNECTION; the driver takes the refusal of an older server for success. */
function canReset(version: ServerVersion): boolean {
  return version.flavor === 'mysql' ? isAtLeast(version, 5, 7, 3) : isAtLeast(version, 10, 2, 4);
}

function connectionLost(message: string): Error {
  return Object.assign(new Error(message), { code: 'PROTOCOL_CONNECTION_LOST', fatal: true });
}
