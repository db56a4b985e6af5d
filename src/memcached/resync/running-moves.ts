/** The work that is under way for a list of nodes that is to decide, so that it can be given up when that list is not to be. */

/** See the head of this file. */
export class RunningMoves {
  readonly #running = new Map<AbortController, Promise<unknown>>();

  /** Does a piece of it. */
  run<T>(work: (givenUp: AbortSignal) => Promise<T>): Promise<T> {
    const stop = new AbortController();
    const done = work(stop.signal).finally(() => this.#running.delete(stop));
    this.#running.set(stop, done);
    return done;
  }

  /** Ends all of it, and waits until it has ended: nothing says after that that a node is complete. Never rejects. */
  async giveUp(): Promise<void> {
    for (const stop of this.#running.keys()) stop.abort();
    await Promise.allSettled(this.#running.values());
  }
}
