/** Character sets that the driver lists and no connection can have. */
import { invalidOption } from '../common/option-reader.js';

/** No server takes them from a client, because a NUL byte is part of their letters. */
const NOT_TAKEN: ReadonlySet<string> = new Set(['ucs2', 'utf16', 'utf16le', 'utf32']);

/** The driver has no encoding for them; that of `armscii8` loses the brackets and quotes of SQL. */
const NOT_WRITTEN: ReadonlySet<string> = new Set([
  'armscii8',
  'dec8',
  'eucjpms',
  'geostd8',
  'hp8',
  'keybcs2',
  'swe7',
]);

/**
 * Refuses the option `charset` when it means such a character set.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`
 */
export function refuseUnusable(collation: string, given: string | undefined): void {
  const [set = collation] = collation.split('_', 1);
  if (NOT_TAKEN.has(set)) {
    throw invalidOption('charset', `other than ${set}, which servers take from no client`, given);
  }
  if (NOT_WRITTEN.has(set)) {
    throw invalidOption('charset', `other than ${set}, which the driver mysql2 cannot write`, given);
  }
}
