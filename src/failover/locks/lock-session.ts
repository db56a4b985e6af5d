/**
 * One server's named locks and the session that holds them. What changes the server is sent on this very session: when the
 * locks are gone, so is the session, and it cannot execute anything any more.
 */
import { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, isStormlampError, StormlampError } from '../../common/stormlamp-error.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import type { StatusRow } from '../../mysql/replica-status.js';
import { withoutPasswords } from '../../mysql/without-passwords.js';
import type { StatementListener } from './statement-log.js';

/** A server that can be locked. */
export interface LockTarget {
  /** The server. */
  readonly voter: NodeId;
  /** A new connection with an account that may do what will be sent. */
  connect(deadline: Deadline): Promise<PhysicalConnection>;
}

/** How a session is opened. */
export interface LockSessionOptions {
  /** After so many seconds without a statement the server ends the session and frees its locks. */
  readonly waitTimeoutS: number;
  /** Longest time for an answer, milliseconds; then the session is given up. */
  readonly timeoutMs: number;
  /** Told about every statement. */
  readonly onStatement?: StatementListener | undefined;
  /** Gives up connecting. */
  readonly signal?: AbortSignal | undefined;
}

/** A session that holds locks, until it is lost or released. */
export class LockSession {
  /** The server. */
  readonly voter: NodeId;
  /** The connection; only for reading facts about the server. */
  readonly connection: PhysicalConnection;
  readonly #options: LockSessionOptions;
  readonly #target: LockTarget;
  /** A second connection: whether a long statement of the first one still runs, and what helps that. */
  #side: PhysicalConnection | undefined;
  #renewing: Promise<boolean> | undefined;
  readonly #since = new Map<string, number>();
  #aliveUntil = Number.NEGATIVE_INFINITY;
  #lost: Error | undefined;
  #released = false;
  #running = 0;

  private constructor(target: LockTarget, connection: PhysicalConnection, options: LockSessionOptions) {
    this.voter = target.voter;
    this.#target = target;
    this.connection = connection;
    this.#options = options;
    connection.onLost((error) => this.#lose(error));
  }

  /**
   * Connects, and takes no lock yet.
   *
   * Rejects with the error of the connection, `ERR_TIMEOUT`, or `ERR_ABORTED`.
   */
  static async open(target: LockTarget, options: LockSessionOptions): Promise<LockSession> {
    const deadline = Deadline.of({ timeoutMs: options.timeoutMs, signal: options.signal });
    const connection = await target.connect(deadline);
    const session = new LockSession(target, connection, options);
    // A statement that waits for a lock gives up before the session's own limit: 1205 says more than that nobody answered.
    try {
      await session.ask(
        `SET SESSION wait_timeout=${options.waitTimeoutS}, lock_wait_timeout=2, innodb_lock_wait_timeout=2`,
      );
    } catch (error) {
      session.destroy();
      throw error;
    }
    return session;
  }

  /** Until when the server certainly keeps the session and its locks, monotonic milliseconds, unless it is restarted. */
  get aliveUntil(): number {
    return this.#lost === undefined ? this.#aliveUntil : Number.NEGATIVE_INFINITY;
  }

  /** Why the session cannot be used any more; undefined while it can. */
  get lost(): Error | undefined {
    return this.#lost;
  }

  /** Since when it is certain that `lock` is held, monotonic milliseconds; undefined when it is not. */
  since(lock: string): number | undefined {
    return this.#lost === undefined ? this.#since.get(lock) : undefined;
  }

  /** Takes a lock if nobody has it; whether it was to be had. */
  async take(lock: string): Promise<boolean> {
    const [row] = await this.ask(`SELECT GET_LOCK('${lock}', 0) AS got`);
    if (Number(row?.['got']) !== 1) return false;
    if (!this.#since.has(lock)) this.#since.set(lock, performance.now());
    return true;
  }

  /** Frees one lock and keeps the others. Never rejects. */
  async free(lock: string): Promise<void> {
    // First: who renews meanwhile must not miss it.
    if (!this.#since.delete(lock) || this.#lost !== undefined) return;
    await this.ask(`SELECT RELEASE_LOCK('${lock}')`, 1_000).catch(() => undefined);
  }

  /** Makes sure that the session still holds its locks; it is given up when not. Who asks meanwhile gets the same answer. */
  renew(): Promise<boolean> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  /** {@link LockSession.renew} with a question that is sent after this call. */
  async renewAnew(): Promise<boolean> {
    await this.#renewing;
    return await this.renew();
  }

  /**
   * Sends one statement on the session that holds the locks; the rows of its answer.
   *
   * Rejects with the server's error, with `ERR_TIMEOUT` (the session is given up then, because whatever it still does must not
   * happen under our locks unseen), or with the reason for which it was lost.
   */
  async ask(sql: string, timeoutMs: number = this.#options.timeoutMs): Promise<readonly StatusRow[]> {
    if (this.#lost !== undefined) throw this.#lost;
    const sentAt = performance.now();
    const told = { node: this.voter, sql: withoutPasswords(sql), at: Date.now() };
    this.#options.onStatement?.(told);
    let outcome: 'ok' | 'failed' | 'lost' = 'lost';
    this.#running += 1;
    try {
      const lost = new Promise<never>((_, reject) => this.connection.onLost(reject));
      const rows = await Promise.race([this.connection.ask(sql, Deadline.of({ timeoutMs })), lost]);
      outcome = 'ok';
      return Array.isArray(rows) ? rows : [];
    } catch (error) {
      if (isStormlampError(error, ErrorCode.TIMEOUT)) {
        this.#lose(error);
        this.connection.destroy();
      }
      if (this.#lost === undefined) outcome = 'failed';
      throw error;
    } finally {
      this.#running -= 1;
      this.#options.onStatement?.({ ...told, outcome });
      // Whatever the server answered, it did so for a session that was there, and counts its idle time from then.
      if (outcome !== 'lost') {
        this.#aliveUntil = Math.max(this.#aliveUntil, sentAt + this.#options.waitTimeoutS * 1_000);
      }
    }
  }

  /**
   * Sends one statement on a second connection while one of this session is under way, which it is to help: nothing when that is over.
   * Rejects with the server's error, or that of the connection.
   */
  async askBeside(sql: string, timeoutMs = 1_000): Promise<readonly StatusRow[]> {
    if (this.#running === 0 || this.#lost !== undefined) return [];
    const told = { node: this.voter, sql: withoutPasswords(sql), at: Date.now() };
    const deadline = Deadline.of({ timeoutMs });
    const side = await this.#beside(deadline);
    this.#options.onStatement?.(told);
    let outcome: 'ok' | 'failed' = 'failed';
    try {
      const rows: unknown = await side.ask(sql, deadline);
      outcome = 'ok';
      return Array.isArray(rows) ? rows : [];
    } finally {
      this.#options.onStatement?.({ ...told, outcome });
    }
  }

  /** Frees the locks and closes the session. Never rejects. */
  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    // The end of the session frees its locks; without an answer the closed socket does.
    if (this.#lost === undefined) {
      const locks = [...this.#since.keys()].map((lock) => `RELEASE_LOCK('${lock}')`);
      if (locks.length > 0) await this.ask(`SELECT ${locks.join(', ')}`, 1_000).catch(() => undefined);
    }
    this.destroy();
  }

  /** Closes the session at once; the server frees its locks when it notices. */
  destroy(): void {
    this.#released = true;
    this.#lose(new StormlampError(ErrorCode.CLOSED, `The session on ${this.voter} was given up`));
    this.connection.destroy();
  }

  async #renew(): Promise<boolean> {
    // A statement that is under way has a limit of its own, and its answer renews; the question would wait behind it.
    if (this.#running > 0) {
      const late = this.#aliveUntil - performance.now() < this.#options.waitTimeoutS * 750;
      if (late) await this.#vouch().catch(() => undefined);
      return this.#lost === undefined;
    }
    const held = [...this.#since.keys()].map((lock) => `IS_USED_LOCK('${lock}')=CONNECTION_ID()`);
    try {
      const [row] = await this.ask(`SELECT ${held.length === 0 ? '1' : held.join(' AND ')} AS held`);
      if (Number(row?.['held']) === 1) return true;
      this.#lose(new StormlampError(ErrorCode.LEASE_LOST, `The locks on ${this.voter} are gone`));
      this.connection.destroy();
      return false;
    } catch {
      return false;
    }
  }

  /**
   * Asks beside the session whether its statement still runs: a server counts idle seconds only from the end of a statement on. A
   * replica that is just connecting to a silent source stops receiving only when that attempt is over.
   */
  async #vouch(): Promise<void> {
    const deadline = Deadline.of({ timeoutMs: Math.min(this.#options.timeoutMs, 1_000) });
    const side = await this.#beside(deadline);
    const sentAt = performance.now();
    const rows: readonly StatusRow[] = await side.ask(
      `SELECT COUNT(*) AS running FROM information_schema.PROCESSLIST WHERE ID=${this.connection.threadId} AND COMMAND='Query'`,
      deadline,
    );
    if (Number(rows[0]?.['running']) !== 1) return;
    this.#aliveUntil = Math.max(this.#aliveUntil, sentAt + this.#options.waitTimeoutS * 1_000);
  }

  async #beside(deadline: Deadline): Promise<PhysicalConnection> {
    if (this.#side === undefined || this.#side.lost !== undefined) {
      this.#side?.destroy();
      this.#side = await this.#target.connect(deadline);
    }
    if (this.#released) this.#side.destroy();
    return this.#side;
  }

  #lose(error: Error): void {
    this.#lost ??= error;
    this.#side?.destroy();
  }
}
