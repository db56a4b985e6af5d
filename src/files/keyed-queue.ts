/** Turns per key: work on one key runs one after the other, work on different keys does not wait. */

/** See the head of this file. */
export class KeyedQueue {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `work` after everything that was given for the same key before it. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const mine = before === undefined ? work() : before.then(work, work);
    this.#last.set(key, mine);
    const tidy = (): void => {
      if (this.#last.get(key) === mine) this.#last.delete(key);
    };
    mine.then(tidy, tidy);
    return mine;
  }

  /** Keys with work under way. */
  get size(): number {
    return this.#last.size;
  }
}
