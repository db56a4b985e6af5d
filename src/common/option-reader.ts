/** Checks options the same way everywhere: exact types, no unknown names, messages that show what was given. */
import { ErrorCode, StormlampError } from './stormlamp-error.js';

/** Bounds of a numeric option. */
export interface NumberBounds {
  /** The smallest value allowed. */
  readonly min?: number;
  /** The largest value allowed. */
  readonly max?: number;
  /** Whether fractions are refused. */
  readonly integer?: boolean;
}

/** An `ERR_INVALID_OPTION` error with the message form that all options share. */
export function invalidOption(path: string, expected: string, got: unknown): StormlampError {
  return new StormlampError(
    ErrorCode.INVALID_OPTION,
    `Expected \`${path}\` to be ${expected}, got ${shown(got)}`,
  );
}

/**
 * Refuses names that `options` should not have, and suggests the nearest known one.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option, or when `options` is not an object.
 */
export function rejectUnknownOptions(path: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidOption(path, 'an object', options);
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    const hint = near === undefined ? `known options: ${known.join(', ')}` : `did you mean \`${near}\`?`;
    throw new StormlampError(ErrorCode.INVALID_OPTION, `Unknown option \`${path}.${name}\`; ${hint}`);
  }
}

/** Node's timers fire at once when they are set to more milliseconds than this. */
export const LONGEST_TIMER_MS: number = 2 ** 31 - 1;

/** A finite number within its bounds, or `fallback` when the option is left out. */
export function readNumber(
  path: string,
  value: unknown,
  fallback: number,
  bounds: NumberBounds = {},
): number {
  if (value === undefined) return fallback;
  const { min, max, integer = false } = bounds;
  const fits =
    typeof value === 'number' &&
    Number.isFinite(value) &&
    (min === undefined || value >= min) &&
    (max === undefined || value <= max) &&
    (!integer || Number.isInteger(value));
  if (fits) return value;
  const range = [min === undefined ? '' : ` >= ${min}`, max === undefined ? '' : ` <= ${max}`].filter(
    (part) => part !== '',
  );
  throw invalidOption(path, `${integer ? 'an integer' : 'a finite number'}${range.join(' and')}`, value);
}

/**
 * Milliseconds >= 0, `Infinity` among them, or `fallback` when the option is left out.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming `path`.
 */
export function readMsOrInfinity(path: string, value: unknown, fallback: number): number {
  return value === Number.POSITIVE_INFINITY ? value : readNumber(path, value, fallback, { min: 0 });
}

/** A boolean, or `fallback` when the option is left out. */
export function readBoolean(path: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value === 'boolean') return value;
  throw invalidOption(path, 'a boolean', value);
}

/** A string that is not empty, or `fallback` when the option is left out. */
export function readString(path: string, value: unknown, fallback: string): string {
  if (value === undefined) return fallback;
  if (typeof value === 'string' && value !== '') return value;
  throw invalidOption(path, 'a non-empty string', value);
}

/** One of a fixed set of words, or `fallback` when the option is left out. */
export function readChoice<T extends string>(
  path: string,
  value: unknown,
  choices: readonly T[],
  fallback: T,
): T {
  if (value === undefined) return fallback;
  if (typeof value === 'string' && (choices as readonly string[]).includes(value)) return value as T;
  throw invalidOption(path, `one of ${choices.map((choice) => `'${choice}'`).join(', ')}`, value);
}

/** A list of non-empty strings, or `fallback` when the option is left out. */
export function readStrings(path: string, value: unknown, fallback: readonly string[]): readonly string[] {
  if (value === undefined) return fallback;
  if (!Array.isArray(value)) throw invalidOption(path, 'an array of strings', value);
  value.forEach((item, index) => {
    if (typeof item !== 'string' || item === '')
      throw invalidOption(`${path}[${index}]`, 'a non-empty string', item);
  });
  return value as readonly string[];
}

/** A value as an error message shows it: short, with its type, and without the password of a URL. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    const safe = value.replace(/(\/\/[^/@\s]*?:)[^@\s]*@/g, '$1***@');
    return `\`${safe.length > 120 ? `${safe.slice(0, 117)}...` : safe}\` (string)`;
  }
  if (value === null || value === undefined) return `\`${value}\``;
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'function') return 'a function';
  return `\`${String(value)}\` (${typeof value})`;
}

/** The one of `known` that `name` was probably meant to be; `undefined` when none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  // An option name of thousands of characters resembles nothing.
  if (a.length > 64) return a.length;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
