/** A causal token in a signed cookie: what a browser's last write needs of the node that serves its next read. */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** Browsers keep about 4 KB; a longer token is replaced by one that sends the next reads to the primary. */
const VALUE_LENGTH_LIMIT = 3_500;

const SHAPE = /^([A-Za-z0-9_-]{0,3500})\.([0-9a-z]{1,10})\.([A-Za-z0-9_-]{43})$/;

/** The token of a scope whose writes are not known. */
export const UNTOLD_TOKEN = '*';

/** Writes and reads the values. The first secret signs; all of them are accepted, so that secrets can be replaced. */
export class TokenCookie {
  readonly #keys: readonly string[];
  readonly #maxAgeMs: number;

  /** `keys` has at least one member. */
  constructor(keys: readonly string[], maxAgeMs: number) {
    this.#keys = keys;
    this.#maxAgeMs = maxAgeMs;
  }

  /** The value for `token`, at wall clock `now`. */
  write(token: string, now: number): string {
    const text = Buffer.from(token, 'utf8').toString('base64url');
    if (text.length > VALUE_LENGTH_LIMIT) return this.write(UNTOLD_TOKEN, now);
    const payload = `${text}.${Math.floor(now / 1_000).toString(36)}`;
    return `${payload}.${signature(this.#keys[0] ?? '', payload)}`;
  }

  /** The token in a value; undefined when it is not ours, was changed, or is too old. */
  read(value: string, now: number): string | undefined {
    const match = SHAPE.exec(value);
    const [, text, seconds, given] = match ?? [];
    if (text === undefined || seconds === undefined || given === undefined) return undefined;
    const ageMs = now - Number.parseInt(seconds, 36) * 1_000;
    // Clocks of two web servers may differ a little.
    if (ageMs > this.#maxAgeMs || ageMs < -this.#maxAgeMs) return undefined;
    const payload = `${text}.${seconds}`;
    const known = this.#keys.some((key) => isEqual(signature(key, payload), given));
    return known ? Buffer.from(text, 'base64url').toString('utf8') : undefined;
  }
}

function signature(key: string, payload: string): string {
  // Named, so that a value that is signed with the same secret for another purpose is none.
  return createHmac('sha256', key).update(`stormlamp-scope:${payload}`).digest('base64url');
}

function isEqual(one: string, two: string): boolean {
  return timingSafeEqual(Buffer.from(one), Buffer.from(two));
}
