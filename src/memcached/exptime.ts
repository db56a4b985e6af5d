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

/** Two clocks that are told in whole seconds, one of them over a network, may differ by so much and be right. */
const CLOCK_TOLERANCE_MS = 2_000;

/**
 * The expiry by the clock of a server that is `aheadMs` ahead of this machine's: a date is moved by as much, or an item of more than
 * 30 days would live shorter or longer than it was meant to. Durations, and clocks that agree to two seconds, leave it as it is.
 */
export function exptimeByClock(exptime: number, aheadMs: number): number {
  if (exptime <= RELATIVE_EXPTIME_LIMIT || Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS) return exptime;
  // Below the limit it would be a duration.
  return Math.min(MAX_EXPTIME, Math.max(RELATIVE_EXPTIME_LIMIT + 1, exptime + Math.round(aheadMs / 1000)));
}

/**
 * The expiry of which {@link exptimeByClock} makes `end`, a date by the clock of a server that is `aheadMs` ahead of this machine's;
 * 0 is for ever.
 */
export function exptimeOfEnd(end: number, aheadMs: number): number {
  if (end === 0 || Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS) return Math.min(MAX_EXPTIME, end);
  return Math.min(MAX_EXPTIME, Math.max(RELATIVE_EXPTIME_LIMIT + 1, end - Math.round(aheadMs / 1000)));
}

/** The expiry of an item that lives `remainingSeconds` on another node, for a copy of it; undefined is for ever. */
export function exptimeOfRemaining(remainingSeconds: number | undefined, nowMs: number = Date.now()): number {
  if (remainingSeconds === undefined) return 0;
  // Told in whole seconds by another clock, the last date there is may seem to be one beyond it.
  const longest = MAX_EXPTIME - Math.floor(nowMs / 1000);
  // An item in its last second is told as having none left; 0 would make the copy live for ever.
  return exptimeOf(Math.max(1, Math.min(remainingSeconds, longest)) * 1000, 'memcached', nowMs);
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
