/** Makes the session that takes the place of another one under a new id. */
import { SessionDocument } from '../php/session-document.js';
import type { ResolvedCommonSessionOptions } from './common-session-options.js';
import type { Session } from './session.js';
import { createSessionId } from './session-id.js';

/**
 * The session with a new id, not saved yet. What was changed here is merged into what the old session holds now. One that was
 * destroyed meanwhile does not come back with its old variables, unless `onGone` says so.
 *
 * @param stored what the store holds of the old session now; null when it is gone
 */
export function renameSession(
  session: Session,
  stored: Buffer | null,
  { idFormat, serialize, onGone }: ResolvedCommonSessionOptions,
): Session {
  const gone = session.exists && onGone === 'recreate' ? undefined : SessionDocument.decode('', serialize);
  const inherited = stored === null ? gone : SessionDocument.decode(stored, serialize);
  return session.renamed(createSessionId(idFormat), inherited);
}
