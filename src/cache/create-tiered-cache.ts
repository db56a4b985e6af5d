/** Makes a tiered cache. */
import { type CacheOptions, resolveCacheOptions } from './cache-options.js';
import { TieredCache } from './tiered-cache.js';

/**
 * Makes a cache of two levels: one in this process, and one on memcached that all processes and PHP's `Memcached` class share.
 * It connects at the first use, and a node that is down makes misses.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function createTieredCache(options: CacheOptions): TieredCache {
  return new TieredCache(resolveCacheOptions(options));
}
