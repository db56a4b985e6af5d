/** How much of the reads the primary may take when no replica is fit: a share over about the last ten seconds. */

/** The length of one of the two periods that are looked at together. */
const PERIOD_MS = 5_000;

/** Below so many reads a share says nothing yet. */
const SMALLEST_SAMPLE = 10;

/** Counts reads and those of them that fell back to the primary, in the present and the previous period. */
export class PrimaryBudget {
  readonly #limit: number;
  #periodStart = 0;
  #reads = 0;
  #fallbacks = 0;
  #readsBefore = 0;
  #fallbacksBefore = 0;

  /** `limit` is the share that may fall back, 0 to 1. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Notes a read that a replica serves. Costs nothing when there is no limit. */
  servedByReplica(now: number): void {
    if (this.#limit >= 1) return;
    this.#turn(now);
    this.#reads += 1;
  }

  /** Whether one more read may fall back to the primary; if so, it is counted. */
  mayFallBack(now: number): boolean {
    if (this.#limit >= 1) return true;
    if (this.#limit === 0) return false;
    this.#turn(now);
    const reads = this.#reads + this.#readsBefore + 1;
    const fallbacks = this.#fallbacks + this.#fallbacksBefore + 1;
    this.#reads += 1;
    if (fallbacks > Math.max(this.#limit * reads, this.#limit * SMALLEST_SAMPLE)) return false;
    this.#fallbacks += 1;
    return true;
  }

  #turn(now: number): void {
    if (now - this.#periodStart < PERIOD_MS) return;
    const old = now - this.#periodStart >= 2 * PERIOD_MS;
    this.#readsBefore = old ? 0 : this.#reads;
    this.#fallbacksBefore = old ? 0 : this.#fallbacks;
    this.#reads = 0;
    this.#fallbacks = 0;
    this.#periodStart = now;
  }
}
