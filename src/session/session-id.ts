/** Session ids as PHP makes and reads them. */
import { randomBytes } from 'node:crypto';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ,-';

/** How new ids look: PHP's `session.sid_length` and `session.sid_bits_per_character`. */
export interface SessionIdFormat {
  /** Characters, 22 to 231: longer ones leave no room for the key of a lock. PHP's built-in default is 32, the php.ini of distributions up to 8.3 says 26. */
  readonly length: number;
  /** Bits per character: 4 (`0-9a-f`), 5 (`0-9a-v`) or 6 (`0-9a-zA-Z,-`). */
  readonly bitsPerCharacter: 4 | 5 | 6;
}

/**
 * Makes a new id in PHP's manner: `length` random bytes are read as a stream of bits, low bits first
 * (php-src ext/session/session.c, `bin_to_readable`).
 */
export function createSessionId(
  format: SessionIdFormat,
  random: (size: number) => Uint8Array = randomBytes,
): string {
  const { length, bitsPerCharacter } = format;
  const bytes = random(length);
  const mask = (1 << bitsPerCharacter) - 1;
  let bits = 0;
  let available = 0;
  let next = 0;
  let id = '';
  while (id.length < length) {
    if (available < bitsPerCharacter) {
      bits |= (bytes[next] ?? 0) << available;
      next += 1;
      available += 8;
    }
    id += ALPHABET[bits & mask];
    bits >>= bitsPerCharacter;
    available -= bitsPerCharacter;
  }
  return id;
}

/**
 * Refuses an id that PHP could not have made, before it gets anywhere near a key: `lock.<id>` as a cookie would
 * otherwise lock the owner of `<id>` out.
 *
 * @throws StormlampError `ERR_SESSION_ID`; the message does not repeat the id, which may be a secret of somebody else.
 */
export function assertSessionId(id: string, accept: RegExp): void {
  if (typeof id === 'string' && accept.test(id)) return;
  throw new StormlampError(
    ErrorCode.SESSION_ID,
    `The session id (${typeof id === 'string' ? `${id.length} characters` : typeof id}) is not accepted by \`sessions.ids.accept\` ${accept}`,
  );
}
