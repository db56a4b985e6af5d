/** Bounds that keep hostile or damaged data from taking all memory. */
import { readNumber, rejectUnknownOptions } from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** What data may at most be; checked before anything is allocated. */
export interface PhpLimits {
  /**
   * How deep arrays and objects may be nested. PHP's own `unserialize_max_depth`.
   * @defaultValue 4096
   */
  readonly maxDepth?: number;
  /**
   * The longest input or output in bytes. PHP's default `memory_limit`.
   * @defaultValue 134217728
   */
  readonly maxBytes?: number;
  /**
   * How many values (array elements, properties and variables of all levels) there may be.
   * @defaultValue 4194304
   */
  readonly maxValues?: number;
}

/** {@link PhpLimits} with every bound present. */
export type ResolvedPhpLimits = Required<PhpLimits>;

/** The bounds that hold when none are given. */
export const DEFAULT_PHP_LIMITS: ResolvedPhpLimits = Object.freeze({
  maxDepth: 4096,
  maxBytes: 128 * 1024 * 1024,
  maxValues: 4 * 1024 * 1024,
});

/**
 * Fills in the bounds that are left out.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` when one is not a positive integer, or unknown.
 */
export function resolvePhpLimits(limits: PhpLimits | undefined): ResolvedPhpLimits {
  if (limits === undefined) return DEFAULT_PHP_LIMITS;
  rejectUnknownOptions('limits', limits, Object.keys(DEFAULT_PHP_LIMITS));
  const bounds = { min: 1, integer: true };
  const { maxDepth, maxBytes, maxValues } = DEFAULT_PHP_LIMITS;
  return {
    maxDepth: readNumber('limits.maxDepth', limits.maxDepth, maxDepth, bounds),
    maxBytes: readNumber('limits.maxBytes', limits.maxBytes, maxBytes, bounds),
    maxValues: readNumber('limits.maxValues', limits.maxValues, maxValues, bounds),
  };
}

/** The error of data that exceeds a bound. */
export function overLimit(what: string, limit: number, name: keyof PhpLimits): StormlampError {
  return new StormlampError(ErrorCode.PHP_LIMIT, `${what}; the limit is ${name} = ${limit}`);
}
