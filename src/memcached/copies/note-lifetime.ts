/** How long notes about copies live: longer than every copy that they are about, also one on a node that nobody reaches. */
import { exptimeOf, MAX_EXPTIME, RELATIVE_EXPTIME_LIMIT } from '../exptime.js';

const DAY_MS = 86_400_000;
/** What is taken for the life of an item that has no end, as one lock may be: notes are many, and would fill the nodes for years. */
const ENDLESS_MS = 30 * DAY_MS;

/** How long notes about copies live, of items that live for `lifetimeMs`, in milliseconds. */
export function noteLifetimeMs(lifetimeMs: number): number {
  return 2 * lifetimeMs + DAY_MS;
}

/**
 * The life of notes. Clients of a gateway give each item a life of their own, and a destruction does not say how long its item would have
 * lived: so the longest life that was seen since this process began counts for all.
 */
export class NoteLifetime {
  #ms: number;

  /** @param ms what notes live at least, in milliseconds */
  constructor(ms: number) {
    this.#ms = ms;
  }

  /** An item is stored, or touched, with this `exptime`. */
  outlive(exptime: number, nowMs: number = Date.now()): void {
    const lifeMs =
      exptime === 0
        ? ENDLESS_MS
        : exptime <= RELATIVE_EXPTIME_LIMIT
          ? exptime * 1000
          : exptime * 1000 - nowMs;
    this.#ms = Math.max(this.#ms, noteLifetimeMs(lifeMs));
  }

  /** When a note that is written now expires, as memcached takes it. */
  exptime(nowMs: number = Date.now()): number {
    const longestMs = (MAX_EXPTIME - Math.floor(nowMs / 1000)) * 1000;
    return exptimeOf(Math.min(this.#ms, longestMs), 'memcached', nowMs);
  }
}
