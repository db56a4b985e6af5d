/** Values as the cache stores them: PHP's bytes and flags, and in the flags when they are due, and what else the cache must know. */
import { readNumber } from '../common/option-reader.js';
import type { CacheWrapOptions } from './cache-calls.js';
import { LONGEST_LIFE_MS, type ResolvedCacheOptions } from './cache-options.js';
import { encodeCacheValue, type StoredCacheValue } from './php-cache-value.js';
import { readRefreshFlags, refreshFlags } from './refresh-mark.js';

/** How one call wants a value to be stored. */
export interface CachePlan {
  /** How long it lives. */
  readonly ttlMs: number;
  /** How long the answer "there is none" lives. */
  readonly negativeTtlMs: number;
  /** Its tags. */
  readonly tags: readonly string[];
}

const LIFE_MS = { min: 0, max: LONGEST_LIFE_MS };
/** The share of its life after which a value is due is spread by so much to either side. */
const SPREAD = 0.05;
/** A life is told in whole seconds, by both clocks, so its end may come by so much earlier. */
const ROUNDED_SECONDS = 3;

/**
 * What a call says, and the cache's own options where it says nothing.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function cachePlan(call: CacheWrapOptions, options: ResolvedCacheOptions): CachePlan {
  const life = (name: 'ttlMs' | 'negativeTtlMs'): number =>
    readNumber(`options.${name}`, call[name], options[name], LIFE_MS);
  return { ttlMs: life('ttlMs'), negativeTtlMs: life('negativeTtlMs'), tags: call.tags ?? [] };
}

/** The value to store; undefined stands for "there is none". Errors: as `encodeCacheValue`. */
export function markedValue(
  value: unknown,
  plan: CachePlan,
  { format, refreshAt }: ResolvedCacheOptions,
): StoredCacheValue {
  const absent = value === undefined;
  const stored = encodeCacheValue(absent ? null : value, format);
  const seconds = (absent ? plan.negativeTtlMs : plan.ttlMs) / 1000;
  // Not all processes at once. What is not made anew is due at its end.
  const spread = 1 - SPREAD + 2 * SPREAD * Math.random();
  const share = absent || refreshAt === 1 ? 1 : refreshAt * spread;
  const now = Date.now() / 1000;
  const end = Math.floor(now + Math.ceil(seconds));
  const dueAt = seconds === 0 ? undefined : Math.min(end, Math.ceil(now + seconds * share));
  const mark = refreshFlags({ absent, tagged: plan.tags.length > 0, dueAt }, Math.floor(now));
  return { value: stored.value, flags: stored.flags + mark };
}

/** Whether a value stands for "there is none". */
export function isAbsent({ flags }: StoredCacheValue): boolean {
  return readRefreshFlags(flags, 0).absent;
}

/** Whether a value is to be made anew. */
export function isDue({ flags }: StoredCacheValue, { refreshAt }: ResolvedCacheOptions): boolean {
  const { absent, dueIn } = readRefreshFlags(flags, Date.now() / 1000);
  return dueIn === 0 && !absent && refreshAt < 1;
}

/** How long a value that is stored by `plan` lives. */
export function ttlOf(stored: StoredCacheValue, { ttlMs, negativeTtlMs }: CachePlan): number {
  return isAbsent(stored) ? negativeTtlMs : ttlMs;
}

/** How long what another process may have stored is kept in this one: its end is not known, but not before it is due. */
export function keepMs({ flags }: StoredCacheValue, { local, pollMs }: ResolvedCacheOptions): number {
  const { dueIn } = readRefreshFlags(flags, Date.now() / 1000);
  return Math.min(local.ttlMs, dueIn > 0 ? dueIn * 1000 : pollMs);
}

/** How long a value that is due lives on at least, if it was stored to live for `ttlMs`, and that is no longer than a mark can tell; in milliseconds. */
export function surelyLeftMs(
  { flags }: StoredCacheValue,
  ttlMs: number,
  { refreshAt }: ResolvedCacheOptions,
): number {
  const { dueFor } = readRefreshFlags(flags, Date.now() / 1000);
  const afterDue = (ttlMs / 1000) * (1 - refreshAt * (1 + SPREAD));
  return Math.max(0, (afterDue - dueFor - ROUNDED_SECONDS) * 1000);
}
