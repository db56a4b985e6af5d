/** Keeps the primary from fencing itself for as long as this process sees a majority for it. */
import { describeError } from '../../common/stormlamp-error.js';
import { Ticker } from '../../common/ticker.js';
import type { ResolvedActingOptions } from '../acting-options.js';
import type { LeaseKeeper } from '../lease/lease-keeper.js';
import { LockSession } from '../locks/lock-session.js';
import type { Election } from '../overseer/election.js';
import { lockName } from '../protocol/lock-name.js';
import { lockTargetOf, type Voter } from '../voters.js';
import { GUARD_TIMEOUT_S, guardWindowMs } from './fence-event.js';

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
const ANSWER_MS = 1_000;

/** One session on the primary whose lock the event looks for; of several guards one has it, and the others stand by. */
export class FenceGuard {
  readonly #parts: FenceGuardParts;
  readonly #windowMs: number;
  readonly #lock: string;
  #session: LockSession | undefined;
  #told = '';
  readonly #ticker: Ticker;

  private constructor({ cluster, leaseMs }: ResolvedActingOptions, parts: FenceGuardParts) {
    this.#parts = parts;
    this.#windowMs = guardWindowMs(leaseMs);
    this.#lock = lockName(cluster, 'guard');
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
    const primary = keeper.seenWithin(this.#windowMs);
    // A silent server must not find renewals in its socket when it goes on: the session ends with the majority.
    if (this.#session?.voter !== primary || this.#session?.lost !== undefined) {
      this.#session?.destroy();
      this.#session = undefined;
    }
    const voter = voters.find(({ id }) => id === primary);
    if (voter === undefined || !(await election.takesPart())) return;
    try {
      this.#session ??= await LockSession.open(lockTargetOf(voter), {
        waitTimeoutS: GUARD_TIMEOUT_S,
        timeoutMs: ANSWER_MS,
      });
      if (this.#session.since(this.#lock) === undefined) await this.#session.take(this.#lock);
      else await this.#session.renew();
      this.#told = '';
    } catch (error) {
      const why = `${voter.id} is not kept from fencing itself: ${describeError(error)}`;
      if (why !== this.#told) onTrouble(why);
      this.#told = why;
    }
  }
}
