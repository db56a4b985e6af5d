/** memcached's expiry times: seconds from now up to 30 days, above that seconds since 1970 by the server's clock. */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** The longest expiry that memcached reads as a duration, in seconds. */
export const RELATIVE_EXPTIME_LIMIT = 2_592_000;

/** The largest expiry of the binary protocol. */
export const MAX_EXPTIME = 0xffff_ffff;

/**
 * The expiry of an item that shall live for `lifetimeMs`, as the PHP extension would send it.
 *
 * php-memcached sends up to 30 days as a duration and more as a date, so that the server's clock matters only for the long ones;
 * pecl-memcache's session handler always sends a date. 0 never expires. Fractions of a second are rounded up, so that nothing
 * expires early and a short life does not become an endless one.
 *
 * @param nowMs the server's wall clock, milliseconds since 1970; see {@link serverClockOffsetMs}. Default: this machine's
 * @throws StormlampError `ERR_INVALID_OPTION` for a lifetime that is negative or ends after the year 2106.
 */
export function exptimeOf(
  lifetimeMs: number,
  extension: 'memcached' | 'memcache' | 'memcached-class' = 'memcached',
  nowMs: number = Date.now(),
): number {
  if (lifetimeMs === 0) return 0;
  const seconds = Math.ceil(lifetimeMs / 1000);
  const date = Math.floor(nowMs / 1000) + seconds;
  if (!(lifetimeMs > 0) || date > MAX_EXPTIME) {
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      `Expected a lifetime of 0 or more milliseconds that ends before 2106, got ${lifetimeMs}`,
    );
  }
  return extension !== 'memcache' && seconds <= RELATIVE_EXPTIME_LIMIT ? seconds : date;
}

/** The expiry of an item that lives `remainingSeconds` on another node, for a copy of it; undefined is for ever. */
export function exptimeOfRemaining(remainingSeconds: number | undefined, nowMs: number = Date.now()): number {
  if (remainingSeconds === undefined) return 0;
  // An item in its last second is told as having none left; 0 would make the copy live for ever.
  return exptimeOf(Math.max(1, remainingSeconds) * 1000, 'memcached', nowMs);
}

/**
 * How far a server's clock is ahead of this machine's, in milliseconds, from its general statistics: to within the second that
 * they are told in. Undefined when they do not tell the time.
 */
export function serverClockOffsetMs(
  stats: ReadonlyMap<string, string>,
  nowMs: number = Date.now(),
): number | undefined {
  const seconds = Number(stats.get('time'));
  if (!Number.isSafeInteger(seconds) || seconds <= 0) return undefined;
  return (seconds - Math.floor(nowMs / 1000)) * 1000;
}
