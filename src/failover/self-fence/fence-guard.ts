/** Keeps the primary from fencing itself for as long as this process sees a majority for it. */
import { describeError } from '../../common/stormlamp-error.js';
import { Ticker } from '../../common/ticker.js';
import type { ResolvedActingOptions } from '../acting-options.js';
import type { LeaseKeeper } from '../lease/lease-keeper.js';
import { LockSession } from '../locks/lock-session.js';
import type { Election } from '../overseer/election.js';
import { lockTargetOf, type Voter } from '../voters.js';
import { CLOCK_SQL, GUARD_ANSWER_MS, GUARD_TIMEOUT_S, guardSql, guardWindowMs } from './fence-event.js';

/** What a guard works with. */
export interface FenceGuardParts {
  /** All voters. */
  readonly voters: readonly Voter[];
  /** Knows the primary that a majority votes for. */
  readonly keeper: Pick<LeaseKeeper, 'seenWithin'>;
  /** Knows whether this process is the one of its machine that takes part. */
  readonly election: Pick<Election, 'takesPart'>;
  /** Told why the primary cannot be guarded; the same reason is told once. */
  readonly onTrouble: (why: string) => void;
}

const TICK_MS = 500;

/** One session on the primary whose lock the event looks for; of several guards one has it, and the others stand by. */
export class FenceGuard {
  readonly #parts: FenceGuardParts;
  readonly #windowMs: number;
  readonly #cluster: string;
  #session: LockSession | undefined;
  /** What the server's clock is ahead of this process's at most, microseconds. */
  #aheadUs = 0;
  #told = '';
  readonly #ticker: Ticker;

  private constructor({ cluster, leaseMs }: ResolvedActingOptions, parts: FenceGuardParts) {
    this.#parts = parts;
    this.#windowMs = guardWindowMs(leaseMs);
    this.#cluster = cluster;
    this.#ticker = new Ticker(TICK_MS, () => this.#look());
  }

  /** Begins; undefined where no server is to fence itself. */
  static open(options: ResolvedActingOptions, parts: FenceGuardParts): FenceGuard | undefined {
    return options.selfFenceMs === 0 ? undefined : new FenceGuard(options, parts);
  }

  /** Gives the lock up; resolves when nothing is under way any more. */
  async close(): Promise<void> {
    await this.#ticker.close();
    await this.#session?.release();
  }

  async #look(): Promise<void> {
    const { voters, keeper, election, onTrouble } = this.#parts;
    const seenAt = performance.now();
    const primary = keeper.seenWithin(this.#windowMs);
    // A silent server must not find renewals in its socket when it goes on: the session ends with the majority.
    if (this.#session?.voter !== primary || this.#session?.lost !== undefined) {
      this.#session?.destroy();
      this.#session = undefined;
    }
    const voter = voters.find(({ id }) => id === primary);
    if (voter === undefined || !(await election.takesPart())) return;
    try {
      if (this.#session === undefined) {
        this.#session = await LockSession.open(lockTargetOf(voter), {
          waitTimeoutS: GUARD_TIMEOUT_S,
          timeoutMs: GUARD_ANSWER_MS,
        });
        await this.#ask(this.#session, CLOCK_SQL);
      }
      const until = (seenAt + GUARD_ANSWER_MS) * 1_000 + this.#aheadUs;
      await this.#ask(this.#session, guardSql(this.#cluster, until));
      this.#told = '';
    } catch (error) {
      const why = `${voter.id} is not kept from fencing itself: ${describeError(error)}`;
      if (why !== this.#told) onTrouble(why);
      this.#told = why;
    }
  }

  /** Asks, and reads the server's clock in the answer: it showed that time when the question was sent, or later. */
  async #ask(session: LockSession, sql: string): Promise<void> {
    const sentAt = performance.now();
    const [row] = await session.ask(sql);
    this.#aheadUs = Number(row?.['clock']) - sentAt * 1_000;
  }
}
