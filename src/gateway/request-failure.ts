/** What a client is told when the store could not do its command. */
import { describeError, ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import type { ItemAnswer } from './item-command.js';

/** The answer for an error of the store; names the code and the cause, and never the key or the value. */
export function failureAnswer(error: unknown): ItemAnswer {
  if (!isStormlampError(error))
    return { status: 'failed', message: `internal error: ${describeError(error)}` };
  if (error.code === ErrorCode.SESSION_TOO_LARGE) return { status: 'too-large' };
  if (error.code === ErrorCode.INVALID_KEY) return { status: 'invalid' };
  return { status: 'failed', message: `${error.code} ${error.message}` };
}
