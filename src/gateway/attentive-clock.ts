/** A clock that stands while this process does nothing: what a client sent meanwhile lies there, and is not late. */

const TICK_MS = 250;
/** A tick may come so late and the process was still awake. */
const LONGEST_TICK_MS = 2 * TICK_MS;

/** Milliseconds in which the event loop ran. */
export class AttentiveClock {
  readonly #now: () => number;
  #counted = 0;
  #tickedAt: number;
  #timer: NodeJS.Timeout | undefined;

  /** @param now a monotonic clock in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#tickedAt = now();
  }

  /** Begins to run; it keeps no process alive. */
  start(): void {
    this.#timer ??= setInterval(() => this.tick(), TICK_MS).unref();
  }

  /** Stops for good. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** The event loop came round. */
  tick(): void {
    this.#counted = this.now();
    this.#tickedAt = this.#now();
  }

  /** Calls `then` when `ms` of this clock are over; returns what calls it off. */
  after(ms: number, then: () => void): () => void {
    const end = this.now() + ms;
    const look = (): void => {
      const left = end - this.now();
      if (left < 1) then();
      else timer = setTimeout(look, left);
    };
    let timer = setTimeout(look, ms);
    return () => clearTimeout(timer);
  }

  /** Milliseconds since some moment, without those in which the event loop was blocked. */
  now(): number {
    return this.#counted + Math.min(this.#now() - this.#tickedAt, LONGEST_TICK_MS);
  }
}
