/** Turns of those who ask for much at once: each waits behind everybody who waits already, and never for all that another one asks for. */

/** Hands out so many turns at a time, in the order in which they were asked for. */
export class FairTurns {
  #free: number;
  readonly #waiting = new Set<() => void>();

  /** @param atOnce how many may have a turn at a time */
  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** Resolves when it is the caller's turn; to be given back by `give`. */
  async take(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve) => {
      this.#waiting.add(resolve);
    });
  }

  /** Ends a turn: the next one has it. */
  give(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
