/** What failed a moment ago, and would fail again: it is left alone for a while. */

/** So much is remembered at most; of more the oldest is forgotten. */
const LIMIT = 10_000;

/** See the head of this file. */
export class FailedLately {
  readonly #restMs: number;
  /** Until when, in monotonic milliseconds, the oldest first. */
  readonly #until = new Map<string, number>();

  /** @param restMs for how long it is left alone, in milliseconds */
  constructor(restMs: number) {
    this.#restMs = restMs;
  }

  /** It failed at `now`, in monotonic milliseconds. */
  failed(what: string, now: number): void {
    this.#until.delete(what);
    this.#until.set(what, now + this.#restMs);
    for (const [oldest, until] of this.#until) {
      if (until > now && this.#until.size <= LIMIT) return;
      this.#until.delete(oldest);
    }
  }

  /** Whether it is left alone at `now`, in monotonic milliseconds. */
  isResting(what: string, now: number): boolean {
    const until = this.#until.get(what);
    return until !== undefined && now < until;
  }
}
