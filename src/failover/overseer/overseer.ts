/** Acts by itself in the elected process: fails over when the primary is objectively down, and repairs what is left half done. */
import { backoffMs } from '../../common/backoff.js';
import { describeError, ErrorCode, isStormlampError } from '../../common/stormlamp-error.js';
import { Ticker } from '../../common/ticker.js';
import type { Election } from './election.js';

/** What the overseer does with. */
export interface OverseerActions {
  /** Whether this process must not act: it does not trust itself. */
  readonly tilted: () => boolean;
  /** Whether a change is under way in this process. */
  readonly busy: () => boolean;
  /** Whether the primary is objectively down. */
  readonly warranted: () => boolean;
  /** Fails over; rejects with why it is not done. */
  readonly failOver: () => Promise<void>;
  /** Repairs one thing, if there is one; whether something was done. */
  readonly repair: () => Promise<boolean>;
  /**
   * Told why something is not done: a reason once for as long as there is something to be done, whatever numbers stand in it, and no
   * more than twenty of them.
   */
  readonly onRefusal: (what: 'failover' | 'repair', why: string) => void;
}

const TICK_MS = 250;
const CAMPAIGN = { firstMs: 500, maxMs: 4_000 };
const RETRY = { firstMs: 1_000, maxMs: 15_000 };
const REPAIR_MS = 1_000;
const MOST_REASONS = 20;
/** So long a process that does not trust itself stays elected, milliseconds: it does nothing, and an election takes as long. */
const RESIGN_MS = 3_000;

/** Looks at the state of affairs again and again until it is closed. */
export class Overseer {
  readonly #election: Election;
  readonly #actions: OverseerActions;
  readonly #ticker: Ticker;
  #nextCampaign = 0;
  #campaigns = 0;
  #nextTry = 0;
  #tries = 0;
  #nextRepair = 0;
  #tiltedSince: number | undefined;
  readonly #told = { failover: new Set<string>(), repair: new Set<string>() };

  /** Begins. */
  constructor(election: Election, actions: OverseerActions) {
    this.#election = election;
    this.#actions = actions;
    this.#ticker = new Ticker(TICK_MS, () => this.#look());
  }

  /** Looks at everything soon. */
  hurry(): void {
    this.#nextTry = 0;
    this.#nextRepair = 0;
  }

  /** Stops; resolves when nothing is under way any more. */
  close(): Promise<void> {
    return this.#ticker.close();
  }

  async #look(): Promise<void> {
    const { tilted, busy, warranted } = this.#actions;
    const now = performance.now();
    if (tilted()) {
      this.#tiltedSince ??= now;
      // A change that is under way waits for this, too, and needs no election; see `confirm` of the executor.
      if (now - this.#tiltedSince >= RESIGN_MS && !busy()) await this.#election.resign();
      return;
    }
    this.#tiltedSince = undefined;
    if (!(await this.#leads()) || busy() || this.#ticker.closed) return;
    if (warranted()) {
      if (now < this.#nextTry) return;
      await this.#failOver();
      return;
    }
    this.#tries = 0;
    this.#told.failover.clear();
    if (now < this.#nextRepair) return;
    this.#nextRepair = now + REPAIR_MS;
    await this.#repair();
  }

  async #leads(): Promise<boolean> {
    if (this.#election.leads || (await this.#election.renew())) return true;
    const now = performance.now();
    if (now < this.#nextCampaign) return false;
    const elected = await this.#election.campaign();
    this.#campaigns = elected ? 0 : this.#campaigns + 1;
    this.#nextCampaign = performance.now() + backoffMs(this.#campaigns, CAMPAIGN);
    return elected;
  }

  async #failOver(): Promise<void> {
    try {
      await this.#actions.failOver();
    } catch (error) {
      this.#refuse('failover', error);
    }
    this.#nextTry = performance.now() + backoffMs(this.#tries, RETRY);
    this.#tries += 1;
  }

  async #repair(): Promise<void> {
    try {
      if (await this.#actions.repair()) this.#nextRepair = 0;
      this.#told.repair.clear();
    } catch (error) {
      // Somebody else is at work; that is no news.
      if (!isStormlampError(error, ErrorCode.NO_MAJORITY)) this.#refuse('repair', error);
    }
  }

  #refuse(what: 'failover' | 'repair', error: unknown): void {
    const why = describeError(error);
    const told = this.#told[what];
    const reason = why.replace(/\d+/g, '#');
    if (told.has(reason) || told.size >= MOST_REASONS) return;
    told.add(reason);
    this.#actions.onRefusal(what, why);
  }
}
