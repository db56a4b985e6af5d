/** PHP's cache limiter: the headers that keep a page with a session out of caches (php-src ext/session, measured on PHP 8.2). */

/** PHP's `session.cache_limiter`; `''` sends nothing. */
export type CacheLimiter = 'nocache' | 'private' | 'private_no_expire' | 'public' | '';

/** All of them. */
export const CACHE_LIMITERS: readonly CacheLimiter[] = [
  'nocache',
  'private',
  'private_no_expire',
  'public',
  '',
];

/** A date that is over for everybody, the one that PHP sends. */
const LONG_AGO = 'Thu, 19 Nov 1981 08:52:00 GMT';

const NOT_CACHED: Readonly<Record<string, string>> = Object.freeze({
  Expires: LONG_AGO,
  'Cache-Control': 'no-store, no-cache, must-revalidate',
  Pragma: 'no-cache',
});

/** How pages with sessions may be cached. */
export interface CacheLimits {
  /** What PHP's `session.cache_limiter` says. */
  readonly cacheLimiter: CacheLimiter;
  /** How long a page may be kept, in milliseconds. */
  readonly cacheExpireMs: number;
}

/**
 * The headers that PHP sends when a session starts.
 *
 * @param now milliseconds since 1970
 * @param changed when the program last changed, milliseconds since 1970; PHP tells it where pages may be kept
 */
export function cacheHeaders(
  { cacheLimiter, cacheExpireMs }: CacheLimits,
  now: number,
  changed: number | undefined,
): Readonly<Record<string, string>> {
  const seconds = Math.floor(cacheExpireMs / 1000);
  switch (cacheLimiter) {
    case 'nocache':
      return NOT_CACHED;
    case 'private':
      return { Expires: LONG_AGO, 'Cache-Control': `private, max-age=${seconds}`, ...lastModified(changed) };
    case 'private_no_expire':
      return { 'Cache-Control': `private, max-age=${seconds}`, ...lastModified(changed) };
    case 'public':
      return {
        Expires: new Date(now + seconds * 1000).toUTCString(),
        'Cache-Control': `public, max-age=${seconds}`,
        ...lastModified(changed),
      };
    case '':
      return {};
  }
}

function lastModified(changed: number | undefined): Readonly<Record<string, string>> {
  return changed === undefined ? {} : { 'Last-Modified': new Date(changed).toUTCString() };
}
