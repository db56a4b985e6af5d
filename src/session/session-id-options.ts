/** Options of session ids, their defaults and their checks. */
import { invalidOption, readBoolean, readNumber, rejectUnknownOptions } from '../common/option-reader.js';
import type { SessionIdFormat } from './session-id.js';

/** How ids are made and accepted. */
export interface SessionIdOptions {
  /** Ids that are let in; the default takes all that PHP could have made. */
  readonly accept?: RegExp;
  /**
   * Whether an id that the store does not hold is replaced by a new one, as with PHP's `session.use_strict_mode`. PHP leaves
   * it off by default and takes over whatever id a cookie brings (session fixation); a php.ini does not turn it off here.
   * Default true.
   */
  readonly strict?: boolean;
  /** Characters of a new id, PHP's `session.sid_length`. Default 32. */
  readonly length?: number;
  /** Bits per character of a new id, PHP's `session.sid_bits_per_character`. Default 5. */
  readonly bitsPerCharacter?: 4 | 5 | 6;
}

/** The id options with every default filled in. */
export interface ResolvedSessionIds {
  /** Which ids are let in. */
  readonly accept: RegExp;
  /** Whether ids that the store does not hold are replaced. */
  readonly strict: boolean;
  /** How new ids look. */
  readonly idFormat: SessionIdFormat;
}

/** All ids that PHP could have made, up to a length. */
export function acceptUpTo(length: number): RegExp {
  return new RegExp(`^[A-Za-z0-9,-]{1,${length}}$`);
}

/** The defaults: new ids of 160 bits, and all ids that PHP could have made and whose lock key fits memcached. */
export const DEFAULT_SESSION_IDS: ResolvedSessionIds = {
  accept: acceptUpTo(231),
  strict: true,
  idFormat: { length: 32, bitsPerCharacter: 5 },
};

/** Checks id options and fills in the defaults. */
export function resolveSessionIds(path: string, options: SessionIdOptions = {}): ResolvedSessionIds {
  const d = DEFAULT_SESSION_IDS;
  rejectUnknownOptions(path, options, ['accept', 'strict', 'length', 'bitsPerCharacter']);
  const { accept = d.accept, bitsPerCharacter: bits = d.idFormat.bitsPerCharacter } = options;
  if (!(accept instanceof RegExp)) throw invalidOption(`${path}.accept`, 'a regular expression', accept);
  // A global or sticky expression keeps a position between tests and would refuse every second id.
  if (accept.global || accept.sticky)
    throw invalidOption(`${path}.accept`, 'a regular expression without the g and y flags', accept.flags);
  if (bits !== 4 && bits !== 5 && bits !== 6)
    throw invalidOption(`${path}.bitsPerCharacter`, '4, 5 or 6', bits);
  const length = readNumber(`${path}.length`, options.length, d.idFormat.length, {
    min: 22,
    max: 231,
    integer: true,
  });
  return {
    accept,
    strict: readBoolean(`${path}.strict`, options.strict, d.strict),
    idFormat: { length, bitsPerCharacter: bits },
  };
}
