/**
 * How many batches of a fill may be under way: more while the nodes answer in time, half as many and a rest when they answer late. What
 * else they are asked comes first, and while a node is filled, the one that it is filled from is the only one that knows.
 */
import { pause } from '../../common/backoff.js';
import { type Clock, systemClock } from '../../common/clock.js';
import { Waiters } from '../../common/waiters.js';

/** A batch that takes longer than this, and several times as long as the fastest one, is late, in milliseconds. */
const LATE_MS = 200;
const LATE_TIMES = 3;
/** After a late batch nothing is asked for so many times as long as it took, so that others have most of the time. */
const REST_TIMES = 4;
const MAX_REST_MS = 1_000;
/** How fast it grows again: by one for so many batches in time. */
const GROW_AFTER = 8;

/** See the head of this file. */
export class FillPace {
  readonly #most: number;
  readonly #clock: Clock;
  #limit = 1;
  #running = 0;
  #restUntil = Number.NEGATIVE_INFINITY;
  #fastestMs = Number.POSITIVE_INFINITY;
  readonly #changes = new Waiters();

  /** @param most batches that may be under way when everything is well; at first it is one */
  constructor(most: number, clock: Clock = systemClock) {
    this.#most = most;
    this.#clock = clock;
  }

  /** Batches that may be under way now. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** How long nothing is to be asked from now on, in milliseconds. */
  get restMs(): number {
    return Math.max(0, this.#restUntil - this.#clock.now());
  }

  /** Runs one batch when its turn has come. */
  async run(batch: () => Promise<void>, signal: AbortSignal): Promise<void> {
    while (this.#running >= this.limit) await this.#changes.wait();
    this.#running += 1;
    try {
      while (this.restMs > 0 && !signal.aborted) await pause(this.restMs, signal);
      signal.throwIfAborted();
      const started = this.#clock.now();
      await batch();
      this.took(this.#clock.now() - started);
    } finally {
      this.#running -= 1;
      this.#changes.wake();
    }
  }

  /** A batch took so long. */
  took(ms: number): void {
    const late = ms > LATE_MS && ms > LATE_TIMES * this.#fastestMs;
    this.#fastestMs = Math.min(this.#fastestMs, ms);
    if (late) {
      this.#limit = Math.max(1, this.#limit / 2);
      this.#restUntil = this.#clock.now() + Math.min(MAX_REST_MS, REST_TIMES * ms);
    } else this.#limit = Math.min(this.#most, this.#limit + 1 / GROW_AFTER);
  }
}
