/** Lets one line of a kind through in a while and counts the others, so that an outage does not fill the log. */

/** How many subjects are remembered. */
const SUBJECTS_LIMIT = 1_000;

interface Last {
  readonly line: string;
  readonly since: number;
  held: number;
}

/** A pure counter; the caller tells the time, monotonic milliseconds. */
export class LogThrottle {
  readonly #everyMs: number;
  readonly #last = new Map<string, Last>();

  /** Lets a line through every `everyMs`. */
  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /**
   * How many lines like this one were held back before it; undefined when this one is to be held back, too. Of lines with one
   * `subject` only those are held back that say the same as the last one; without a subject each line is its own.
   */
  admit(line: string, now: number, subject: string = line): number | undefined {
    const known = this.#last.get(subject);
    const repeats = known?.line === line;
    if (repeats && now - known.since < this.#everyMs) {
      known.held += 1;
      return undefined;
    }
    if (known === undefined && this.#last.size >= SUBJECTS_LIMIT) this.#last.clear();
    this.#last.set(subject, { line, since: now, held: 0 });
    return repeats ? known.held : 0;
  }
}
