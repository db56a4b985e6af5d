/**
 * Sessions that a client could not read. PHP goes on with an empty session when its handler fails to read (measured: 8.2, both
 * extensions), and would write that over the stored one a moment later, when the nodes answer again.
 */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** Sessions that are remembered; of more the oldest are forgotten. */
const MAX_SESSIONS = 10_000;

/** See the head of this file. */
export class UnreadSessions {
  readonly #keys = new Set<string>();

  /** A read failed. */
  failed(key: string): void {
    const [oldest] = this.#keys;
    if (this.#keys.size >= MAX_SESSIONS && oldest !== undefined) this.#keys.delete(oldest);
    this.#keys.add(key);
  }

  /** It was read, or removed: whatever is written from now on is made from what there is. */
  known(key: string): void {
    this.#keys.delete(key);
  }

  /** @throws StormlampError `ERR_STORE_DOWN` when it was asked for last in vain. */
  assertKnown(key: string): void {
    if (!this.#keys.has(key)) return;
    throw new StormlampError(
      ErrorCode.STORE_DOWN,
      'This session could not be read before, and PHP took it for an empty one: it is not written until it was read',
    );
  }
}
