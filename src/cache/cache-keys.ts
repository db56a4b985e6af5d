/** How a cache names its items: the value itself under the key that PHP uses, what belongs to it beside it on the same node. */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { assertKey } from '../memcached/memcached-key.js';

/** An item's key, and the text that placement hashes: PHP hashes keys without their prefix. */
export interface CacheKey {
  /** The whole key. */
  readonly key: string;
  /** What placement hashes. */
  readonly place: string;
}

const TAGS = '~tags';
const MAKE = '~make';

/** Names of a cache with one prefix. */
export class CacheKeys {
  readonly #prefix: string;

  /** @param prefix what every key begins with */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /**
   * The value under `name`.
   *
   * @throws StormlampError `ERR_INVALID_KEY`.
   */
  value(name: string): CacheKey {
    if (typeof name !== 'string' || name.startsWith('~') || name.endsWith(TAGS) || name.endsWith(MAKE)) {
      throw new StormlampError(
        ErrorCode.INVALID_KEY,
        `A cache key must be a string that neither begins with '~' nor ends with '${TAGS}' or '${MAKE}', which are kept for the cache itself`,
      );
    }
    // The longest of the names that are made of it.
    assertKey(`${this.#prefix}${name}${TAGS}`);
    return { key: this.#prefix + name, place: name };
  }

  /** The tags of the value under `name`. */
  tagsOf(name: string): CacheKey {
    return { key: `${this.#prefix}${name}${TAGS}`, place: name };
  }

  /** The mark of the process that makes the value under `name`. */
  flightOf(name: string): CacheKey {
    return { key: `${this.#prefix}${name}${MAKE}`, place: name };
  }

  /** The generation of a tag. Errors: as `value`. */
  tag(tag: string): CacheKey {
    const place = `~tag.${tag}`;
    assertKey(this.#prefix + place);
    return { key: this.#prefix + place, place };
  }

  /** The number of the last change that was told to all processes. */
  log(): CacheKey {
    return { key: `${this.#prefix}~log`, place: '~log' };
  }

  /** What was told under this number. */
  logEntry(number: bigint, length: number): CacheKey {
    return { key: `${this.#prefix}~log.${number % BigInt(length)}`, place: '~log' };
  }
}
