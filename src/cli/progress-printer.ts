/** Shows how far long work is: one line that is drawn over on a terminal, now and then a line elsewhere. */
import { systemClock } from '../common/clock.js';
import { printable } from './printable.js';

/** One report of long work. */
export interface Progress {
  /** What is being done. */
  readonly phase: string;
  /** The work, and how far it is, in words. */
  readonly message: string;
}

/** A pause between two lines of the same phase where lines cannot be drawn over, in milliseconds. */
const LINE_EVERY_MS = 2_000;

/** Prints progress to standard error. */
export class ProgressPrinter {
  readonly #interactive: boolean;
  readonly #out: NodeJS.WriteStream;
  #drawn = false;
  #phase = '';
  #lastAt = Number.NEGATIVE_INFINITY;

  /** @param interactive whether lines may be drawn over */
  constructor(interactive: boolean, out: NodeJS.WriteStream = process.stderr) {
    this.#interactive = interactive;
    this.#out = out;
  }

  /** Shows a report. */
  show(progress: Progress): void {
    const { phase } = progress;
    const line = printable(progress.message, false);
    if (this.#interactive) {
      const width = Math.max(20, (this.#out.columns ?? 80) - 1);
      this.#out.write(`\r\u001b[K${line.length > width ? `${line.slice(0, width - 1)}…` : line}`);
      this.#drawn = true;
      return;
    }
    const now = systemClock.now();
    if (phase === this.#phase && now - this.#lastAt < LINE_EVERY_MS) return;
    this.#phase = phase;
    this.#lastAt = now;
    this.#out.write(`${line}\n`);
  }

  /** Clears the line that was drawn over. */
  end(): void {
    if (this.#drawn) this.#out.write('\r\u001b[K');
    this.#drawn = false;
  }
}
