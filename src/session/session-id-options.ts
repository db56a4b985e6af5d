/** Options of session ids, their defaults and their checks. */
import { invalidOption, readNumber, rejectUnknownOptions } from '../common/option-reader.js';
import type { SessionIdFormat } from './session-id.js';

/** How ids are made and accepted. */
export interface SessionIdOptions {
  /** Ids that are let in; the default takes all that PHP could have made. */
  readonly accept?: RegExp;
  /** Characters of a new id, PHP's `session.sid_length`. */
  readonly length?: number;
  /** Bits per character of a new id, PHP's `session.sid_bits_per_character`. */
  readonly bitsPerCharacter?: 4 | 5 | 6;
}

/** The id options with every default filled in. */
export interface ResolvedSessionIds {
  /** Which ids are let in. */
  readonly accept: RegExp;
  /** How new ids look. */
  readonly idFormat: SessionIdFormat;
}

/** The defaults: new ids of 160 bits, and all ids that PHP could have made and whose lock key fits memcached. */
export const DEFAULT_SESSION_IDS: ResolvedSessionIds = {
  accept: /^[A-Za-z0-9,-]{1,231}$/,
  idFormat: { length: 32, bitsPerCharacter: 5 },
};

/** Checks id options and fills in the defaults. */
export function resolveSessionIds(path: string, options: SessionIdOptions = {}): ResolvedSessionIds {
  const d = DEFAULT_SESSION_IDS;
  rejectUnknownOptions(path, options, ['accept', 'length', 'bitsPerCharacter']);
  const accept = options.accept ?? d.accept;
  if (!(accept instanceof RegExp)) throw invalidOption(`${path}.accept`, 'a regular expression', accept);
  // A global or sticky expression keeps a position between tests and would refuse every second id.
  if (accept.global || accept.sticky)
    throw invalidOption(`${path}.accept`, 'a regular expression without the g and y flags', accept.flags);
  const bits = options.bitsPerCharacter ?? d.idFormat.bitsPerCharacter;
  if (bits !== 4 && bits !== 5 && bits !== 6)
    throw invalidOption(`${path}.bitsPerCharacter`, '4, 5 or 6', bits);
  const length = readNumber(`${path}.length`, options.length, d.idFormat.length, {
    min: 22,
    max: 231,
    integer: true,
  });
  return { accept, idFormat: { length, bitsPerCharacter: bits } };
}
