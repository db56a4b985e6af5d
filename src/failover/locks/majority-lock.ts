/** Named locks on a majority of all voters, kept by renewing them until they are lost or released. */
import type { NodeId } from '../../common/node-address.js';
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { majorityOf, rankedFromTop } from '../protocol/majority.js';
import { LockSession, type LockTarget } from './lock-session.js';
import type { StatementListener } from './statement-log.js';

/** How a majority is locked. */
export interface MajorityLockOptions {
  /** All voters, whether they can be reached or not. */
  readonly targets: readonly LockTarget[];
  /** The names of the locks, taken in this order on every voter. */
  readonly locks: readonly string[];
  /** Seconds without a renewal after which a server frees the locks. Default 4; whole seconds, at least 1. */
  readonly waitTimeoutS?: number | undefined;
  /** The same for single voters. */
  readonly waitTimeoutsS?: ReadonlyMap<NodeId, number> | undefined;
  /** Longest time for an answer of a voter, milliseconds. Default 1 000. */
  readonly timeoutMs?: number | undefined;
  /** Told about every statement. */
  readonly onStatement?: StatementListener | undefined;
}

/** Why a voter is not held. */
export interface MissingVoter {
  /** The voter. */
  readonly voter: NodeId;
  /** Why, in words. */
  readonly why: string;
}

const WAIT_TIMEOUT_S = 4;
const TIMEOUT_MS = 1_000;

/** Locks on a majority. Made by {@link MajorityLock.take}. */
export class MajorityLock {
  /** How many voters there are. */
  readonly voters: number;
  /** The voters that could not be locked, or were lost since, and why. */
  readonly missing: readonly MissingVoter[];
  readonly #sessions: Map<NodeId, LockSession>;
  readonly #missing: MissingVoter[];
  readonly #timer: NodeJS.Timeout;
  readonly #listeners = new Set<(reason: StormlampError) => void>();
  #ended = false;
  #isPartlyDone = false;

  private constructor(
    voters: number,
    sessions: ReadonlyMap<NodeId, LockSession>,
    missing: readonly MissingVoter[],
    renewMs: number,
  ) {
    this.voters = voters;
    this.#sessions = new Map(sessions);
    this.#missing = [...missing];
    this.missing = this.#missing;
    this.#timer = setInterval(() => void this.renew(), renewMs);
    this.#timer.unref();
  }

  /**
   * Locks all voters at the same time. When fewer than a majority of ALL voters are to be had, those that were locked are freed
   * again, and who wants to try again waits a random time first.
   *
   * Rejects with `ERR_NO_MAJORITY` naming every voter that is missing and why.
   */
  static async take(options: MajorityLockOptions): Promise<MajorityLock> {
    const { targets, locks, waitTimeoutS = WAIT_TIMEOUT_S, waitTimeoutsS } = options;
    const waitOf = (voter: NodeId): number => waitTimeoutsS?.get(voter) ?? waitTimeoutS;
    const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    const sessions = new Map<NodeId, LockSession>();
    const missing: MissingVoter[] = [];
    const renewMs = (Math.min(...targets.map(({ voter }) => waitOf(voter))) * 1_000) / 4;
    // A voter that does not answer must not cost those that are held already their time.
    const timer = setInterval(() => {
      for (const session of sessions.values()) void session.renew();
    }, renewMs);
    await Promise.all(
      targets.map(async (target) => {
        const { voter } = target;
        let session: LockSession | undefined;
        try {
          session = await LockSession.open(target, {
            waitTimeoutS: waitOf(voter),
            timeoutMs,
            onStatement: options.onStatement,
          });
          for (const lock of locks) {
            if (!(await session.take(lock))) {
              missing.push({ voter, why: `somebody else holds the lock '${lock}'` });
              await session.release();
              return;
            }
          }
          sessions.set(voter, session);
        } catch (error) {
          session?.destroy();
          missing.push({ voter, why: describeError(error) });
        }
      }),
    ).finally(() => clearInterval(timer));
    if (sessions.size < majorityOf(targets.length)) {
      await Promise.all([...sessions.values()].map((session) => session.release()));
      throw noMajority(sessions.size, targets.length, missing);
    }
    return new MajorityLock(targets.length, sessions, missing, renewMs);
  }

  /** The voters that are held, with their sessions. */
  get sessions(): ReadonlyMap<NodeId, LockSession> {
    for (const [voter, { lost }] of this.#sessions) {
      if (lost === undefined) continue;
      this.#sessions.delete(voter);
      this.#missing.push({ voter, why: describeError(lost) });
    }
    return this.#sessions;
  }

  /**
   * Until when a majority is certainly held, monotonic milliseconds: whatever must happen under the lock has to end before. It
   * moves with every renewal.
   */
  get heldUntil(): number {
    if (this.#ended) return Number.NEGATIVE_INFINITY;
    const ends = [...this.sessions.values()].map(({ aliveUntil }) => aliveUntil);
    return rankedFromTop(ends, majorityOf(this.voters));
  }

  /** Whether a majority is held now. */
  get held(): boolean {
    return this.heldUntil > performance.now();
  }

  /**
   * Throws when the majority is lost.
   *
   * @throws StormlampError `ERR_NO_MAJORITY`.
   */
  check(): void {
    if (!this.held) throw noMajority(this.sessions.size, this.voters, this.missing);
  }

  /**
   * {@link check}, but where the majority is merely not certain any more the voters are asked first: a session that answers has held
   * its locks all the time, however late this process comes to ask.
   *
   * Rejects with `ERR_NO_MAJORITY`.
   */
  async ensure(): Promise<void> {
    if (!this.held) await this.renew();
    this.check();
  }

  /** Calls `listener` once, when the majority is lost (not when it is released). Returns what takes it off again. */
  onLost(listener: (reason: StormlampError) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes one more lock on every voter that is held; voters where somebody else has it are let go. */
  async takeMore(lock: string): Promise<void> {
    await Promise.all(
      [...this.sessions].map(async ([voter, session]) => {
        const got = await session.take(lock).catch(() => undefined);
        if (got === true) return;
        this.#sessions.delete(voter);
        const why = got === false ? `somebody else holds the lock '${lock}'` : describeError(session.lost);
        this.#missing.push({ voter, why });
        await session.release();
      }),
    );
    this.check();
  }

  /** Asks the voters whether they still hold the locks: all of them, or anew `only` some; whether the majority is held. */
  async renew(only?: readonly NodeId[]): Promise<boolean> {
    const sessions = [...this.sessions].filter(([voter]) => only?.includes(voter) !== false);
    await Promise.all(
      sessions.map(([, session]) => (only === undefined ? session.renew() : session.renewAnew())),
    );
    if (!this.held) this.#tellLost();
    return this.held;
  }

  /** Frees one lock of single voters; the others, and the sessions, stay. */
  async free(lock: string, voters: Iterable<NodeId>): Promise<void> {
    await Promise.all([...voters].map((voter) => this.#sessions.get(voter)?.free(lock)));
  }

  /** Frees single voters, whose part is done. */
  async releaseVoters(voters: readonly NodeId[]): Promise<void> {
    // From now on fewer than a majority is no loss.
    this.#isPartlyDone = true;
    const sessions = voters.map((voter) => this.#sessions.get(voter));
    for (const voter of voters) this.#sessions.delete(voter);
    await Promise.all(sessions.map((session) => session?.release()));
  }

  /** Frees all locks. Never rejects. */
  async release(): Promise<void> {
    this.#end();
    await Promise.all([...this.#sessions.values()].map((session) => session.release()));
  }

  #tellLost(): void {
    if (this.#ended || this.#isPartlyDone) return;
    const reason = noMajority(this.sessions.size, this.voters, this.missing);
    this.#end();
    // What is left is of no use, and a silent server must not keep the session (it would execute what waits in the socket).
    for (const session of this.#sessions.values()) session.destroy();
    for (const listener of this.#listeners) listener(reason);
    this.#listeners.clear();
  }

  #end(): void {
    this.#ended = true;
    clearInterval(this.#timer);
  }
}

function noMajority(held: number, voters: number, missing: readonly MissingVoter[]): StormlampError {
  const who = missing.map(({ voter, why }) => `${voter} (${why})`).join(', ');
  return new StormlampError(
    ErrorCode.NO_MAJORITY,
    `${held} of ${voters} voters are held, ${majorityOf(voters)} are needed; nothing may be changed. Missing: ${who}`,
  );
}
