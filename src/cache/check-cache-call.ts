/** Refuses what the calls of a cache do not take, before anything is asked or stored. */
import { invalidOption, rejectUnknownOptions } from '../common/option-reader.js';
import type { CacheWrapOptions } from './cache-calls.js';

/** Every call takes the names of all, so that one object can serve them. */
const NAMES = [
  'signal',
  'timeoutMs',
  'tags',
  'ttlMs',
  'negativeTtlMs',
] as const satisfies readonly (keyof CacheWrapOptions)[];
const KNOWN: ReadonlySet<string> = new Set(NAMES);

/**
 * Refuses options that no call has: a misspelt `ttl` would keep a value for as long as the cache's own default.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function checkCacheCall(options: CacheWrapOptions): void {
  for (const name in options) {
    if (!KNOWN.has(name)) rejectUnknownOptions('options', options, NAMES);
  }
  if (options.tags !== undefined) checkTags(options.tags);
}

/**
 * Refuses what is no list of tags; a string would be taken for its letters.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function checkTags(tags: unknown): void {
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) {
    throw invalidOption('tags', 'a list of strings', tags);
  }
}
