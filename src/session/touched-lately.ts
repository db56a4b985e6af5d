/**
 * Which sessions were touched within this second. memcached counts the life of an item in whole seconds, so that of the many
 * requests that a page brings at once one touch is as good as all.
 */

const STEP_MS = 1_000;

/** See the head of this file. */
export class TouchedLately {
  readonly #ids = new Set<string>();
  #until = Number.NEGATIVE_INFINITY;

  /** Whether a session is to be touched at `now`, in monotonic milliseconds; it then counts as touched. */
  isDue(id: string, now: number): boolean {
    if (now >= this.#until) {
      this.#ids.clear();
      this.#until = now + STEP_MS;
    }
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    return true;
  }

  /** It was not touched after all. */
  forget(id: string): void {
    this.#ids.delete(id);
  }
}
