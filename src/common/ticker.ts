/** Work that is done again and again, with a pause before each turn, until it is closed. It keeps no process alive. */
export class Ticker {
  readonly #pauseMs: number;
  readonly #work: () => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #closed = false;

  /** Begins with a pause of `pauseMs`. What `work` rejects with is nobody's business. */
  constructor(pauseMs: number, work: () => Promise<void>) {
    this.#pauseMs = pauseMs;
    this.#work = work;
    this.#schedule();
  }

  /** Whether no turn begins any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Stops; resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#turn;
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#turn = this.#work().catch(() => undefined);
      void this.#turn.then(() => this.#schedule());
    }, this.#pauseMs);
    this.#timer.unref();
  }
}
