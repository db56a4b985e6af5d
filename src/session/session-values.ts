/** Sessions that PHP stored in another form than their plain bytes: maybe compressed, maybe sealed by a framework. */
import { inflateSync } from 'node:zlib';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { decompressValue } from '../memcached/compressed-value.js';
import type { MemcachedItem, MemcachedNode } from '../memcached/memcached-node.js';
import type { ResolvedSessionOptions } from './session-options.js';

/** What a framework puts around the bytes of a session; `laravelSessions` makes one for encrypted sessions. */
export interface SessionSeal {
  /**
   * The session in a stored value.
   *
   * @throws StormlampError when it cannot be opened.
   */
  open(stored: Buffer): Buffer;
  /** The value to store for a session. */
  seal(session: Buffer): Buffer;
}

/** The low bits of the flags: which PHP type a value is; 0 is a string. */
const TYPE_MASK = 0xf;
/** pecl-memcache's flag of a compressed string (MMC_COMPRESSED, memcache_pool.h; measured). */
const PECL_COMPRESSED = 2;
/** The longest session once it is decompressed; memcached itself takes 1 MB unless it was told otherwise. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * The same node, seen as if it held plain sessions: every value is decompressed and opened when it is read, and sealed when
 * it is stored. PHP reads uncompressed values as well as its own. Keys that are not those of sessions are left alone.
 */
export function withSessionValues(
  node: MemcachedNode,
  isSession: (key: string) => boolean,
  seal: SessionSeal | undefined,
): MemcachedNode {
  const opened = (key: string, item: MemcachedItem | null): MemcachedItem | null => {
    if (item === null || !isSession(key)) return item;
    return { value: openValue(item, seal), flags: 0, cas: item.cas };
  };
  const stored = (key: string, value: Buffer): Buffer =>
    seal === undefined || !isSession(key) ? value : seal.seal(value);
  return {
    id: node.id,
    get available() {
      return node.available;
    },
    get clockAheadMs() {
      return node.clockAheadMs;
    },
    get: async (key, options) => opened(key, await node.get(key, options)),
    getMany: async (keys, options) =>
      (await node.getMany(keys, options)).map((item, place) => opened(keys[place] ?? '', item)),
    peek: async (key, options) => opened(key, await node.peek(key, options)),
    getAndTouch: async (key, exptime, options) => opened(key, await node.getAndTouch(key, exptime, options)),
    assertFits: (key, value) => {
      if (seal === undefined || !isSession(key) || !Buffer.isBuffer(value))
        return node.assertFits(key, value);
      try {
        // Sealing costs more than to see that it is nowhere near.
        node.assertFits(key, { length: 4 * value.length + 1_024 });
      } catch {
        node.assertFits(key, seal.seal(value));
      }
    },
    set: (key, value, options) => node.set(key, stored(key, value), options),
    add: (key, value, options) => node.add(key, stored(key, value), options),
    replace: (key, value, options) => node.replace(key, stored(key, value), options),
    delete: (key, options) => node.delete(key, options),
    touch: (key, exptime, options) => node.touch(key, exptime, options),
    increment: (key, delta, options) => node.increment(key, delta, options),
    version: (options) => node.version(options),
    stats: (options) => node.stats(options),
    close: () => node.close(),
    destroy: () => node.destroy(),
  };
}

/**
 * The session in an item. pecl-memcache's handler deflates sessions of 20 000 bytes and more that shrink by a fifth
 * (`memcache.compress_threshold`) and says so with a flag; it reads plain ones as well, which is what is stored here.
 */
export function sessionBytes(
  { value, flags }: Pick<MemcachedItem, 'value' | 'flags'>,
  handler: ResolvedSessionOptions['handler'],
): Buffer {
  // What cannot be inflated is no session, and is refused as such by whoever decodes it.
  return handler === 'memcache' && flags === PECL_COMPRESSED ? (inflated(value) ?? value) : value;
}

function inflated(value: Buffer): Buffer | undefined {
  try {
    return inflateSync(value, { maxOutputLength: MAX_BYTES });
  } catch {
    return undefined;
  }
}

function openValue({ value, flags }: MemcachedItem, seal: SessionSeal | undefined): Buffer {
  if ((flags & TYPE_MASK) !== 0) {
    throw new StormlampError(
      ErrorCode.PHP_SYNTAX,
      `The stored value is no session: PHP stored it as another type than a string (flags ${flags})`,
    );
  }
  const bytes = decompressValue(value, flags, MAX_BYTES);
  return seal === undefined ? bytes : seal.open(bytes);
}
