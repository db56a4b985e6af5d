/** The error of a change that is refused. */
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';

/** The error of a change that is refused. */
export function refused(message: string): StormlampError {
  return new StormlampError(ErrorCode.CHANGE_REFUSED, message);
}
