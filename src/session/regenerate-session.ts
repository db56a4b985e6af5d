/** Gives a session a new id, for every kind of store. */
import { PhpArray } from '../php/php-array.js';
import { SessionDocument } from '../php/session-document.js';
import type { ResolvedCommonSessionOptions } from './common-session-options.js';
import { arrayOf, inPlaceOf, nameOf } from './merge-bag.js';
import type { RetiredSessions } from './retired-sessions.js';
import { Session } from './session.js';
import { createSessionId } from './session-id.js';
import type { RegenerateOptions } from './session-store-port.js';

/** What the store does for it. */
export interface RegeneratePort {
  /** Saves a session. */
  save(session: Session): Promise<unknown>;
  /** Runs `work` under the old session's lock, with what is stored of it now; null when it is gone. */
  locked(work: (stored: Buffer | null) => Promise<Session>): Promise<Session>;
}

/** Saves the variables of `session` under a new id, and retires the old one; the session with the new id. */
export async function regenerateSession(
  session: Session,
  store: ResolvedCommonSessionOptions,
  retired: RetiredSessions,
  options: RegenerateOptions | undefined,
  port: RegeneratePort,
): Promise<Session> {
  const rename = async (stored: Buffer | null): Promise<Session> => {
    const renamed = renameSession(session, stored, store);
    await port.save(renamed);
    return renamed;
  };
  if (!session.exists) return rename(null);
  const graceMs = options?.graceMs ?? store.regenerateGraceMs;
  const poorer = graceMs === 0 ? undefined : withoutDeleted(session);
  const fresh = await port.locked(rename);
  if (poorer !== undefined) await port.save(poorer);
  await retired.retire(session.id, fresh.id, graceMs, options);
  return fresh;
}

/**
 * The old session without the variables, and the entries of variables, that were deleted here; undefined where there are none.
 * Nothing that is deleted gives anybody a right, but what a logout took away must not live on under the old id.
 */
function withoutDeleted(session: Session): Session | undefined {
  const poorer = Session.stored(session.id, session.base);
  for (const [name, change] of session.pendingChanges() ?? []) {
    if (change.kind === 'delete') delete poorer.data[name];
    else {
      const left = withoutDeletedEntries(session.base.get(name), change.value);
      if (left !== undefined) poorer.data[name] = left;
    }
  }
  return poorer.changed ? poorer : undefined;
}

/** Frameworks keep everything in one variable, a login among it. In a list a key is a place, which says nothing of what is there. */
function withoutDeletedEntries(before: unknown, after: unknown): unknown {
  const [old, kept] = [arrayOf(before), arrayOf(after)];
  if (old === undefined || kept === undefined || isList(old)) return undefined;
  const names = new Set([...kept.keys()].map(nameOf));
  const left = new PhpArray([...old].filter(([key]) => names.has(nameOf(key))));
  return left.size === old.size ? undefined : inPlaceOf(before, left);
}

function isList(array: PhpArray): boolean {
  return [...array.keys()].every((key, index) => key === index);
}

/**
 * The session with a new id, not saved yet. What was changed here is merged into what the old session holds now. One that was
 * destroyed meanwhile does not come back with its old variables, unless `onGone` says so.
 *
 * @param stored what the store holds of the old session now; null when it is gone
 */
function renameSession(
  session: Session,
  stored: Buffer | null,
  { idFormat, serialize, onGone }: ResolvedCommonSessionOptions,
): Session {
  const gone = session.exists && onGone === 'recreate' ? undefined : SessionDocument.decode('', serialize);
  const inherited = stored === null ? gone : SessionDocument.decode(stored, serialize, undefined, 'later');
  return session.renamed(createSessionId(idFormat), inherited);
}
