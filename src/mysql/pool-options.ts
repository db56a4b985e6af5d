/** The options of the connection pool that every database node has. */
import { readNumber, rejectUnknownOptions } from '../common/option-reader.js';

/** How many connections a node's pool holds, and for how long. */
export interface PoolOptions {
  /** Connections at most. Default 10. */
  readonly max?: number;
  /** Connections that are kept open and checked while nobody needs them. Default 0. */
  readonly min?: number;
  /** Longest wait for a connection, in milliseconds; a sooner deadline of the call wins. Default 10000. */
  readonly acquireTimeoutMs?: number;
  /** Callers that may wait at the same time; more are refused at once. Default 1000. */
  readonly maxQueue?: number;
  /** Unused for so long, a connection is closed; 0 keeps it. Default 60000. */
  readonly idleTimeoutMs?: number;
  /** Older than this (less up to a tenth, so that not all go at once), a connection is replaced; 0 keeps it. Default 1800000. */
  readonly maxLifetimeMs?: number;
  /** Unused for so long, a connection is asked for a sign of life before it is lent. Default 5000. */
  readonly validateAfterIdleMs?: number;
  /** Lent for so long, a connection is reported with the place that borrowed it; 0 reports none. Default 0. */
  readonly leakAfterMs?: number;
}

/** Pool options with every default filled in. */
export type ResolvedPoolOptions = Required<PoolOptions>;

/** What is used for options that are left out. */
export const POOL_DEFAULTS: ResolvedPoolOptions = Object.freeze({
  max: 10,
  min: 0,
  acquireTimeoutMs: 10_000,
  maxQueue: 1000,
  idleTimeoutMs: 60_000,
  maxLifetimeMs: 1_800_000,
  validateAfterIdleMs: 5_000,
  leakAfterMs: 0,
});

/** How many connections a pool may have; what is left out stays as it is. */
export type PoolSize = Pick<PoolOptions, 'max' | 'min'>;

/**
 * Checks a new size.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option under `path`.
 */
export function checkPoolSize(
  path: string,
  size: PoolSize,
): { readonly max?: number; readonly min?: number } {
  rejectUnknownOptions(path, size, ['max', 'min']);
  const whole = { max: 65_535, integer: true };
  const max =
    size.max === undefined ? undefined : readNumber(`${path}.max`, size.max, 1, { ...whole, min: 1 });
  const most = max ?? whole.max;
  const min =
    size.min === undefined
      ? undefined
      : readNumber(`${path}.min`, size.min, 0, { ...whole, min: 0, max: most });
  return { ...(max === undefined ? {} : { max }), ...(min === undefined ? {} : { min }) };
}

/**
 * Checks pool options and fills in the defaults.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option under `path`.
 */
export function resolvePoolOptions(path: string, options: PoolOptions = {}): ResolvedPoolOptions {
  rejectUnknownOptions(path, options, Object.keys(POOL_DEFAULTS));
  const max = readNumber(`${path}.max`, options.max, POOL_DEFAULTS.max, {
    min: 1,
    max: 65_535,
    integer: true,
  });
  const milliseconds = (name: Exclude<keyof PoolOptions, 'max' | 'min' | 'maxQueue'>): number =>
    readNumber(`${path}.${name}`, options[name], POOL_DEFAULTS[name], { min: 0 });
  return Object.freeze({
    max,
    min: readNumber(`${path}.min`, options.min, Math.min(POOL_DEFAULTS.min, max), {
      min: 0,
      max,
      integer: true,
    }),
    acquireTimeoutMs: readNumber(
      `${path}.acquireTimeoutMs`,
      options.acquireTimeoutMs,
      POOL_DEFAULTS.acquireTimeoutMs,
      {
        min: 1,
      },
    ),
    maxQueue: readNumber(`${path}.maxQueue`, options.maxQueue, POOL_DEFAULTS.maxQueue, {
      min: 0,
      integer: true,
    }),
    idleTimeoutMs: milliseconds('idleTimeoutMs'),
    maxLifetimeMs: milliseconds('maxLifetimeMs'),
    validateAfterIdleMs: milliseconds('validateAfterIdleMs'),
    leakAfterMs: milliseconds('leakAfterMs'),
  });
}
