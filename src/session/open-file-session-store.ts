/** Opens the store of sessions in files. */
import { processUser } from '../files/file-owner.js';
import { findFlock } from '../files/flock.js';
import { MirroredMounts } from '../files/mirrored-mounts.js';
import { newFileOwner } from './file-owner.js';
import type { ResolvedFileSessionOptions } from './file-session-options.js';
import { FileSessionStore } from './file-session-store.js';
import { isSession, partsOf, reconcileCopies } from './reconcile-copies.js';
import { SessionFiles } from './session-files.js';

/**
 * Opens the session files of PHP's files handler.
 *
 * @throws StormlampError `ERR_UNSUPPORTED` where files cannot be locked; `ERR_ACCESS_DENIED` when PHP could not read what
 * this process writes; `ERR_STORE_DOWN` when no mount can be used.
 */
export async function openFileSessionStore(resolved: ResolvedFileSessionOptions): Promise<FileSessionStore> {
  const flock = await findFlock();
  const mirrored = await MirroredMounts.open({
    ...resolved,
    optionPath: 'sessions.mounts',
    ownerIn: (folder, path) => newFileOwner(folder, resolved.owner, processUser(), path),
  });
  const files = new SessionFiles({
    mirrored,
    flock,
    depth: resolved.depth,
    creation: { mode: resolved.mode, owner: mirrored.owner },
    maxBytes: resolved.maxBytes,
    lockWaitMs: resolved.lockWaitMs,
    sound: (bytes) => isSession(bytes, resolved.serialize),
    partsOf: (bytes) => partsOf(bytes, resolved.serialize),
    reconcile: (own, others, missed) => reconcileCopies(own, others, missed, resolved.serialize).copy,
  });
  return new FileSessionStore(resolved, files);
}
