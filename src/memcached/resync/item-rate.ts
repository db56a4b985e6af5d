/** Keeps a copying loop to so many items a second, so that what else the nodes do is not noticed. */
import { pause } from '../../common/backoff.js';
import { type Clock, systemClock } from '../../common/clock.js';

/** Unused allowance that is kept, in milliseconds: a slow start must not become a burst. */
const BURST_MS = 250;

/** See the head of this file. */
export class ItemRate {
  readonly #perSecond: number;
  readonly #clock: Clock;
  #paidUntil: number;

  /** @param perSecond items a second; 0 is no limit */
  constructor(perSecond: number, clock: Clock = systemClock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#paidUntil = clock.now();
  }

  /** How long `count` items must wait now, in milliseconds; they count as taken. */
  take(count: number): number {
    if (this.#perSecond === 0) return 0;
    const now = this.#clock.now();
    const from = Math.max(this.#paidUntil, now - BURST_MS);
    this.#paidUntil = from + (count * 1000) / this.#perSecond;
    return Math.max(0, from - now);
  }

  /** Waits until `count` items may pass. */
  async wait(count: number, signal?: AbortSignal): Promise<void> {
    const ms = this.take(count);
    if (ms > 0) await pause(ms, signal);
  }
}
