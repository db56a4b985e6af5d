/** One line of `lru_crawler metadump`: what memcached tells of an item without its value. */
import { MAX_KEY_BYTES } from './memcached-key.js';

/** An item as the dump names it. */
export interface MetadumpEntry {
  /** The key. */
  readonly key: string;
  /** When it expires, in seconds since 1970 by the server's clock; -1 for never. */
  readonly expiresAt: number;
  /** When it was last used, in seconds since 1970 by the server's clock. */
  readonly lastAccess: number;
  /** The id of its version. */
  readonly cas: bigint;
  /** What it takes in the server's memory, in bytes. */
  readonly size: number;
}

const LINE =
  /^key=([^ ]+) exp=(-?\d{1,20}) la=(-?\d{1,20}) cas=(\d{1,20})(?: [a-z]+=[^ ]*)*? size=(\d{1,15})(?: |$)/;
/** What memcached leaves as it is. */
const UNENCODED = /^[\w.~-]{1,250}$/;
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads a line of the dump. `'foreign'` is an item whose key is not text that could be named in a request;
 * undefined is no line of a dump.
 */
export function parseMetadumpLine(line: string): MetadumpEntry | 'foreign' | undefined {
  const match = LINE.exec(line);
  if (match === null) return undefined;
  const [, encoded = '', exp, la, cas = '0', size] = match;
  const key = decodeKey(encoded);
  if (key === undefined) return 'foreign';
  return { key, expiresAt: Number(exp), lastAccess: Number(la), cas: BigInt(cas), size: Number(size) };
}

/** The key in a line of the dump; `'foreign'` and undefined as {@link parseMetadumpLine} says. */
export function parseMetadumpKey(line: string): { readonly key: string } | 'foreign' | undefined {
  const encoded = LINE.exec(line)?.[1];
  if (encoded === undefined) return undefined;
  const key = decodeKey(encoded);
  return key === undefined ? 'foreign' : { key };
}

/** The keys of entries. */
export async function* keysOf(
  entries: AsyncIterable<readonly { readonly key: string }[]>,
): AsyncGenerator<readonly string[], void, void> {
  for await (const some of entries) yield some.map(({ key }) => key);
}

function decodeKey(encoded: string): string | undefined {
  if (UNENCODED.test(encoded)) return encoded;
  // memcached encodes every byte of the key that is no letter, digit or one of - . _ ~.
  const bytes = Buffer.from(
    encoded.replace(/%([0-9A-Fa-f]{2})/g, (_whole, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    ),
    'latin1',
  );
  if (bytes.length === 0 || bytes.length > MAX_KEY_BYTES) return undefined;
  if (bytes.some((byte) => byte <= 0x20 || byte === 0x7f)) return undefined;
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
