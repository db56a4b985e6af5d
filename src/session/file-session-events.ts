/** What a session store in files tells; ids are secrets and never in an event. */
import type { MountChange } from '../files/mount.js';
import type { SessionStoreEvents } from './session-events.js';

/** Events of a `FileSessionStore`. */
export interface FileSessionStoreEvents extends SessionStoreEvents {
  /** A mount changed its state. */
  'mount-changed': MountChange;
  /** A mount that was away got what it had missed. */
  'mount-repaired': { readonly mount: string; readonly repaired: number; readonly postponed: number };
  /** A repair failed; it is tried again. */
  'repair-failed': { readonly mount: string; readonly error: Error };
  /**
   * A session was passed over by a repair, a `resync` or a collection, because a file of it cannot be used: it is too large, or
   * another user's. `file` is the beginning of its name.
   */
  'file-skipped': { readonly file: string; readonly error: Error };
  /**
   * A mount missed writes, and its copy was written since by somebody who knew nothing of them: the changes of both were kept,
   * or, where both changed the same, those of the later one.
   */
  'copies-differed': { readonly mount: string; readonly kept: 'its own' | 'the others' | 'both' };
}
