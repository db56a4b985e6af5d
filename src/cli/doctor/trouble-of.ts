/** Takes an error apart into what was found and what to do about it. */
import { describeError, ErrorCode, isStormlampError } from '../../common/stormlamp-error.js';
import type { Check } from './check.js';

/** What to do about an error that does not say it itself. */
const REMEDIES: Partial<Readonly<Record<ErrorCode, string>>> = {
  [ErrorCode.NODE_UNREACHABLE]: 'start the server, or correct its address',
  [ErrorCode.ACCESS_DENIED]: 'correct the account in the configuration, or let it in on the server',
  [ErrorCode.MISSING_PRIVILEGE]: 'grant the account what it lacks, or give another one',
  [ErrorCode.PROTOCOL]: 'correct the port: another kind of server listens there',
  [ErrorCode.TIMEOUT]:
    'look in the log of the server, at its load and at the network in between: it answers too late, or not at all',
  [ErrorCode.MOUNT_DOWN]: 'mount it, or correct `sessions.mounts`',
};

/**
 * The errors of the package say cause and remedy in one sentence, parted by `; `. What somebody else said of the cause, and stands in
 * it word by word, is not taken for the remedy. `otherwise` is what to do where the error does not say it.
 */
export function troubleOf(error: unknown, otherwise?: string): Pick<Check, 'found' | 'fix'> {
  const text = describeError(error);
  if (!isStormlampError(error)) return { found: text, fix: otherwise ?? 'mend what it says' };
  const said = error.cause === undefined ? '' : describeError(error.cause);
  const from = said === '' ? -1 : text.indexOf(said);
  const end = text.indexOf('; ', from < 0 ? 0 : from + said.length);
  if (end >= 0) return { found: text.slice(0, end), fix: text.slice(end + 2) };
  return { found: text, fix: otherwise ?? REMEDIES[error.code] ?? `look up ${error.code} in docs/errors.md` };
}
