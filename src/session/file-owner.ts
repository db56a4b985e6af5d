/** Whether PHP will be able to read what we write: its files handler opens only files of its own user or of root. */
import type { Stats } from 'node:fs';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { type FileOwner, ownerIn } from '../files/file-owner.js';

/**
 * Whom new session files must be given to; undefined for this process's own user.
 *
 * @param folder the folder that PHP's `session.save_path` names
 * @throws StormlampError `ERR_ACCESS_DENIED` when PHP could not read what this process writes, or its user cannot be known.
 */
export function newFileOwner(
  folder: Pick<Stats, 'uid' | 'gid' | 'mode'>,
  wanted: FileOwner | undefined,
  self: FileOwner,
  path: string,
): FileOwner | undefined {
  if (wanted !== undefined) {
    if (wanted.uid === self.uid) return undefined;
    if (self.uid === 0) return wanted;
    throw denied(
      `\`sessions.owner\` is uid ${wanted.uid}, but this process is uid ${self.uid} and cannot give files away`,
    );
  }
  // Debian's /var/lib/php/sessions: root's own, and everybody may put files there.
  if (self.uid === 0 && folder.uid === 0 && (folder.mode & 0o002) !== 0) {
    throw denied(
      `${path} belongs to root and is open to everybody, so PHP's user cannot be told from it; set \`sessions.owner\``,
    );
  }
  return ownerIn(folder, self);
}

/**
 * Refuses a session file as PHP does: it must belong to this user or to root, unless this is root.
 *
 * @throws StormlampError `ERR_ACCESS_DENIED` with the remedy.
 */
export function assertOwnFile(file: Pick<Stats, 'uid'>, self: FileOwner): void {
  if (self.uid === 0 || file.uid === 0 || file.uid === self.uid) return;
  throw denied(`The session file belongs to uid ${file.uid}, and this process is uid ${self.uid}`);
}

/** The error for a file or folder that this user may not open. */
export function denied(what: string, cause?: unknown): StormlampError {
  return new StormlampError(
    ErrorCode.ACCESS_DENIED,
    `${what}. PHP's files handler reads only files of its own user or of root, with mode 0600: run Node as the user that PHP runs as`,
    { cause },
  );
}
