/** Named locks on a majority of all voters, kept by renewing them until they are lost or released. */
import { pause } from '../../common/backoff.js';
import type { NodeId } from '../../common/node-address.js';
import { describeError, type StormlampError } from '../../common/stormlamp-error.js';
import { majorityOf, rankedFromTop } from '../protocol/majority.js';
import { LockSession, type LockTarget } from './lock-session.js';
import { type MissingVoter, NoMajorityError } from './no-majority.js';
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
  /**
   * Voters that are missing, or are lost, are locked anew while a majority is held, and count when that was so many milliseconds
   * ago: at least the longest time without a renewal of all that want the locks, because whoever had them before, on a server that
   * was restarted, may be sure of them for so long. Left out: what is lost stays lost, as it must for a change of servers.
   */
  readonly regainMs?: number | undefined;
  /** Told about every statement. */
  readonly onStatement?: StatementListener | undefined;
}

const WAIT_TIMEOUT_S = 4;
const TIMEOUT_MS = 1_000;

function secondsOf(
  { waitTimeoutS = WAIT_TIMEOUT_S, waitTimeoutsS }: MajorityLockOptions,
  voter: NodeId,
): number {
  return waitTimeoutsS?.get(voter) ?? waitTimeoutS;
}

/** Locks on a majority. Made by {@link MajorityLock.take}. */
export class MajorityLock {
  /** How many voters there are. */
  readonly voters: number;
  readonly #options: MajorityLockOptions;
  readonly #sessions: Map<NodeId, LockSession>;
  readonly #missing: Map<NodeId, MissingVoter>;
  /** When voters that were locked anew begin to count, monotonic milliseconds. */
  readonly #countsFrom = new Map<NodeId, number>();
  readonly #regaining = new Map<NodeId, Promise<void>>();
  readonly #stop = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #listeners = new Set<(reason: StormlampError) => void>();
  #isPartlyDone = false;

  private constructor(
    options: MajorityLockOptions,
    sessions: Map<NodeId, LockSession>,
    missing: Map<NodeId, MissingVoter>,
    renewMs: number,
  ) {
    this.voters = options.targets.length;
    this.#options = options;
    this.#sessions = sessions;
    this.#missing = missing;
    this.#timer = setInterval(() => {
      void this.renew();
      this.#regain();
    }, renewMs);
    this.#timer.unref();
  }

  /**
   * Locks all voters at the same time. When fewer than a majority of ALL voters are to be had, those that were locked are freed
   * again, and who wants to try again waits a random time first.
   *
   * Rejects with `ERR_NO_MAJORITY` naming every voter that is missing and why.
   */
  static async take(options: MajorityLockOptions): Promise<MajorityLock> {
    const { targets } = options;
    const sessions = new Map<NodeId, LockSession>();
    const missing = new Map<NodeId, MissingVoter>();
    const renewMs = (Math.min(...targets.map(({ voter }) => secondsOf(options, voter))) * 1_000) / 4;
    // A voter that does not answer must not cost those that are held already their time.
    const timer = setInterval(() => {
      for (const session of sessions.values()) void session.renew();
    }, renewMs);
    await Promise.all(
      targets.map(async (target) => {
        const locked = await lockVoter(target, options);
        if (locked instanceof LockSession) sessions.set(target.voter, locked);
        else missing.set(target.voter, locked);
      }),
    ).finally(() => clearInterval(timer));
    if (sessions.size < majorityOf(targets.length)) {
      await Promise.all([...sessions.values()].map((session) => session.release()));
      throw new NoMajorityError(sessions.size, targets.length, [...missing.values()]);
    }
    return new MajorityLock(options, sessions, missing, renewMs);
  }

  /** The voters that could not be locked, or were lost since, and why. */
  get missing(): readonly MissingVoter[] {
    this.#forgetLost();
    return [...this.#missing.values()];
  }

  /** The voters that are held, with their sessions. */
  get sessions(): ReadonlyMap<NodeId, LockSession> {
    this.#forgetLost();
    return this.#sessions;
  }

  /**
   * Until when a majority is certainly held, monotonic milliseconds: whatever must happen under the lock has to end before. It
   * moves with every renewal.
   */
  get heldUntil(): number {
    if (this.#stop.signal.aborted) return Number.NEGATIVE_INFINITY;
    const ends = [...this.sessions].flatMap(([voter, { aliveUntil }]) =>
      this.#counts(voter) ? [aliveUntil] : [],
    );
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
    if (!this.held) throw this.#noMajority();
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
        this.#missing.set(voter, got === false ? taken(voter, lock) : unasked(voter, session.lost));
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
    await Promise.all(this.#regaining.values());
  }

  #regain(): void {
    if (this.#options.regainMs === undefined) return;
    for (const target of this.#options.targets) {
      const { voter } = target;
      if (this.#regaining.has(voter) || this.sessions.has(voter) || !this.held) continue;
      const done = this.#regainVoter(target, this.#options.regainMs).finally(() =>
        this.#regaining.delete(voter),
      );
      this.#regaining.set(voter, done);
    }
  }

  async #regainVoter(target: LockTarget, regainMs: number): Promise<void> {
    const { voter } = target;
    const { signal } = this.#stop;
    const locked = await lockVoter(target, this.#options, signal);
    if (!(locked instanceof LockSession)) this.#missing.set(voter, locked);
    else if (this.held) {
      this.#countsFrom.set(voter, performance.now() + regainMs);
      this.#sessions.set(voter, locked);
      this.#missing.delete(voter);
      return;
    }
    // Without a majority now another process may have one, or have had one: what is locked after that continues nothing.
    else await locked.release();
    await pause(secondsOf(this.#options, voter) * 1_000, signal);
  }

  #counts(voter: NodeId): boolean {
    return (this.#countsFrom.get(voter) ?? 0) <= performance.now();
  }

  #forgetLost(): void {
    for (const [voter, { lost }] of this.#sessions) {
      if (lost === undefined) continue;
      this.#sessions.delete(voter);
      this.#missing.set(voter, unasked(voter, lost));
    }
  }

  #noMajority(): StormlampError {
    const young = [...this.sessions.keys()].filter((voter) => !this.#counts(voter));
    return new NoMajorityError(this.sessions.size - young.length, this.voters, [
      ...this.#missing.values(),
      ...young.map((voter) => ({ voter, why: 'it was locked anew a moment ago', isTaken: false })),
    ]);
  }

  #tellLost(): void {
    if (this.#stop.signal.aborted || this.#isPartlyDone) return;
    const reason = this.#noMajority();
    this.#end();
    // What is left is of no use, and a silent server must not keep the session (it would execute what waits in the socket).
    for (const session of this.#sessions.values()) session.destroy();
    for (const listener of this.#listeners) listener(reason);
    this.#listeners.clear();
  }

  #end(): void {
    this.#stop.abort();
    clearInterval(this.#timer);
  }
}

/** A session that holds all locks on one voter, or why there is none. `signal` gives up connecting. Never rejects. */
async function lockVoter(
  target: LockTarget,
  options: MajorityLockOptions,
  signal?: AbortSignal,
): Promise<LockSession | MissingVoter> {
  let session: LockSession | undefined;
  try {
    session = await LockSession.open(target, {
      waitTimeoutS: secondsOf(options, target.voter),
      timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
      onStatement: options.onStatement,
      signal,
    });
    for (const lock of options.locks) {
      if (await session.take(lock)) continue;
      await session.release();
      return taken(target.voter, lock);
    }
    return session;
  } catch (error) {
    session?.destroy();
    return unasked(target.voter, error);
  }
}

function taken(voter: NodeId, lock: string): MissingVoter {
  return { voter, why: `somebody else holds the lock '${lock}'`, isTaken: true };
}

function unasked(voter: NodeId, error: unknown): MissingVoter {
  return { voter, why: describeError(error), isTaken: false };
}
