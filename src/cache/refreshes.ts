/** Values that this process makes anew at the moment, before they end. */
import { RecentFailures } from './recent-failures.js';

interface Refresh {
  readonly work: Promise<void>;
  /** From then on it hangs, by the monotonic clock in milliseconds. */
  readonly until: number;
}

/** See the head of this file. */
export class Refreshes {
  readonly #underWay = new Map<string, Refresh>();
  readonly #failed = new RecentFailures();

  /**
   * Begins, unless it is under way or has just failed; what takes longer than `longestMs` keeps nobody from beginning again.
   *
   * @param onFailure told of what `work` rejects with
   */
  begin(
    key: string,
    longestMs: number,
    work: () => Promise<void>,
    onFailure: (error: unknown) => void,
  ): void {
    const now = performance.now();
    const known = this.#underWay.get(key);
    if ((known !== undefined && now < known.until) || this.#failed.isRecent(key)) return;
    const refresh: Refresh = {
      until: now + longestMs,
      work: work()
        .catch((error: unknown) => {
          this.#failed.add(key);
          onFailure(error);
        })
        .finally(() => {
          if (this.#underWay.get(key) === refresh) this.#underWay.delete(key);
        }),
    };
    this.#underWay.set(key, refresh);
  }

  /** All that are under way. */
  all(): readonly Promise<void>[] {
    return [...this.#underWay.values()].map(({ work }) => work);
  }
}
