/** Keys whose early refresh has just failed: it is not tried again with every read. */
import { type Clock, systemClock } from '../common/clock.js';

const PAUSE_MS = 1_000;
/** Of more keys the oldest are tried again at once. */
const MAX_KEYS = 10_000;

/** See the head of this file. */
export class RecentFailures {
  readonly #failedAt = new Map<string, number>();
  readonly #clock: Clock;

  /** @param clock the time */
  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** It failed now. */
  add(key: string): void {
    const [oldest] = this.#failedAt.keys();
    if (this.#failedAt.size >= MAX_KEYS && oldest !== undefined) this.#failedAt.delete(oldest);
    this.#failedAt.delete(key);
    this.#failedAt.set(key, this.#clock.now());
  }

  /** Whether it failed within the last second. */
  isRecent(key: string): boolean {
    const at = this.#failedAt.get(key);
    if (at === undefined) return false;
    if (this.#clock.now() - at < PAUSE_MS) return true;
    this.#failedAt.delete(key);
    return false;
  }
}
