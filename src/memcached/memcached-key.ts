/** Which keys memcached takes. One that it does not take makes it drop the connection, and with it everybody's requests. */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** The longest key in bytes. */
export const MAX_KEY_BYTES = 250;

const PLAIN: RegExp = /^[\x21-\x7e]{1,250}$/;

/**
 * Checks a key before anything is sent: 1 to 250 bytes, no spaces and control characters, so that the text protocol
 * (and with it PHP's other clients) can name it too.
 *
 * @throws StormlampError `ERR_INVALID_KEY`; the message does not hold the key, which may be a session id.
 */
export function assertKey(key: string): void {
  if (PLAIN.test(key)) return;
  const bytes = Buffer.byteLength(key);
  if (bytes === 0 || bytes > MAX_KEY_BYTES) {
    throw invalidKey(`has ${bytes} bytes; it must have 1 to ${MAX_KEY_BYTES}`);
  }
  // Half a surrogate pair would silently become another key on the wire.
  for (const character of key) {
    const code = character.codePointAt(0) ?? 0;
    if (code <= 0x20 || code === 0x7f) throw invalidKey('holds a space or a control character');
    if (code >= 0xd800 && code <= 0xdfff) throw invalidKey('holds half a surrogate pair');
  }
}

function invalidKey(what: string): StormlampError {
  return new StormlampError(ErrorCode.INVALID_KEY, `The memcached key ${what}. Nothing was sent`);
}
