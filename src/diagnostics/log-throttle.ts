/** Lets one line of a kind through in a while and counts the others, so that an outage does not fill the log. */

/** How many kinds are remembered. */
const KINDS_LIMIT = 1_000;

interface Kind {
  readonly since: number;
  held: number;
}

/** A pure counter; the caller tells the time, monotonic milliseconds. */
export class LogThrottle {
  readonly #everyMs: number;
  readonly #kinds = new Map<string, Kind>();

  /** Lets a line of each kind through every `everyMs`. */
  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** How many lines of this kind were held back before this one; undefined when this one is to be held back, too. */
  admit(kind: string, now: number): number | undefined {
    const known = this.#kinds.get(kind);
    if (known !== undefined && now - known.since < this.#everyMs) {
      known.held += 1;
      return undefined;
    }
    if (known === undefined && this.#kinds.size >= KINDS_LIMIT) this.#kinds.clear();
    this.#kinds.set(kind, { since: now, held: 0 });
    return known?.held ?? 0;
  }
}
