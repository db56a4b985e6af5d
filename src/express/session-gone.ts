/** The error of changes to a session that was ended meanwhile. */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** See the head of this file. */
export function sessionGone(): StormlampError {
  return new StormlampError(
    ErrorCode.SESSION_GONE,
    'The session was ended while the request ran, so what it changed was dropped; `onGone: "recreate"` would create it again',
  );
}
