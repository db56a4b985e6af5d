/** Names that no mount can take, because of what is in their place: the caller's mistake, and no mount's. */
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { errnoOf } from './mount-health.js';

/** What the system says of a name that cannot be that of a file here. */
const REASONS: ReadonlyMap<string | undefined, string> = new Map([
  ['EISDIR', 'a folder has that name'],
  ['ENOTDIR', 'a file has the name of one of its folders'],
  ['ENAMETOOLONG', 'it is too long for the file system'],
  ['EINVAL', 'the file system does not take it'],
]);

/** The `ERR_FILE_NAME` of a name that failed everywhere for what is in its place; undefined when anything else went wrong, too. */
export function unusablePlace(name: string, failures: Iterable<unknown>): StormlampError | undefined {
  let first: StormlampError | undefined;
  for (const error of failures) {
    if (isStormlampError(error, ErrorCode.FILE_NAME)) {
      first ??= error;
      continue;
    }
    const reason = REASONS.get(errnoOf(error));
    if (reason === undefined) return undefined;
    first ??= placeTaken(name, reason, error);
  }
  return first;
}

/** The error of a name whose place is taken. */
export function placeTaken(name: string, reason: string, cause?: unknown): StormlampError {
  return new StormlampError(ErrorCode.FILE_NAME, `${name} cannot be a shared file: ${reason}`, { cause });
}
