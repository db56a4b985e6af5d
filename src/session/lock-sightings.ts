/** Remembers which locks of others were seen, to tell a lock that a dead process left behind from one that is in use. */

/** One version of one lock, and since when it is known. */
interface Sighting {
  readonly version: bigint;
  readonly since: number;
}

/** How many locks are remembered; the one that was seen first is forgotten for the next. */
const MAX_SIGHTINGS = 10_000;

/** What is known of the locks that others hold. Time is passed in, in monotonic milliseconds. */
export class LockSightings {
  readonly #sightings = new Map<string, Sighting>();
  readonly #max: number;

  /** @param max how many locks are remembered */
  constructor(max: number = MAX_SIGHTINGS) {
    this.#max = max;
  }

  /** Notes that `place` holds `version` now (undefined: nothing), and tells for how long this very version has been there. */
  heldMs(place: string, version: bigint | undefined, now: number): number {
    const known = this.#sightings.get(place);
    if (known !== undefined && known.version === version) return now - known.since;
    this.#sightings.delete(place);
    if (version === undefined) return 0;
    this.#sightings.set(place, { version, since: now });
    for (const oldest of this.#sightings.keys()) {
      if (this.#sightings.size <= this.#max) break;
      this.#sightings.delete(oldest);
    }
    return 0;
  }

  /** Forgets all locks whose place begins with `prefix`: their node may have started anew, and versions with it. */
  forget(prefix: string): void {
    for (const place of this.#sightings.keys()) if (place.startsWith(prefix)) this.#sightings.delete(place);
  }
}
