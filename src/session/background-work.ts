/** Work that nobody waits for but `close`. */

/** See the head of this file. */
export class BackgroundWork {
  readonly #running = new Set<Promise<unknown>>();

  /** How much is under way. */
  get size(): number {
    return this.#running.size;
  }

  /** Takes on a piece of work; how it ends is nobody's business. */
  add(work: Promise<unknown>): void {
    const quiet = work.then(
      () => undefined,
      () => undefined,
    );
    this.#running.add(quiet);
    void quiet.then(() => this.#running.delete(quiet));
  }

  /** Waits for all of it. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }
}
