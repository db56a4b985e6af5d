/** A client's key, from its bytes. */

const PLAIN = /^[\x21-\x7e]{1,250}$/;
/** The longest key of memcached in bytes. */
export const KEY_LIMIT = 250;

/**
 * The text of a key; undefined when it is empty, longer than 250 bytes, not UTF-8, or holds a space or a control character:
 * such a key could not be named by the text protocol, and so not by every client.
 */
export function readKey(bytes: Buffer): string | undefined {
  const text = bytes.toString('latin1');
  if (PLAIN.test(text)) return text;
  if (bytes.length === 0 || bytes.length > KEY_LIMIT) return undefined;
  if (bytes.some((byte) => byte <= 0x20 || byte === 0x7f)) return undefined;
  const decoded = bytes.toString('utf8');
  // Bytes that are no UTF-8 decode to something else, which would be another key.
  return Buffer.from(decoded, 'utf8').equals(bytes) ? decoded : undefined;
}
