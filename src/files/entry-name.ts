/** Names of shared files: relative paths that stay inside the folder, whatever they are made of. */
import { lstat, realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { isWellFormed } from '../common/well-formed.js';
import type { Mount } from './mount.js';
import { isMissing } from './mount-health.js';
import { OWN_FOLDER } from './mount-mark.js';
import { UNFINISHED } from './replace-file.js';

/** Longest segment and longest name that every Linux file system takes, in bytes. */
const MAX_SEGMENT = 255;
const MAX_NAME = 4_000;

/**
 * Checks a name: segments between `/`, none of them empty, `.`, `..` or one of ours, no NUL, not too long.
 *
 * @throws StormlampError `ERR_FILE_NAME`.
 */
export function checkEntryName(name: string): string {
  if (typeof name !== 'string' || name === '') throw refused(name, 'it is empty');
  if (name.includes('\0')) throw refused(name, 'it has a NUL');
  if (Buffer.byteLength(name) > MAX_NAME) throw refused(name, `it has more than ${MAX_NAME} bytes`);
  // A lone half of a surrogate pair would be another name on the disk.
  if (!isWellFormed(name)) throw refused(name, 'it is not Unicode');
  for (const segment of name.split('/')) {
    if (segment === '') throw refused(name, 'it begins or ends with a slash, or has two in a row');
    if (segment === '.' || segment === '..') throw refused(name, `it has the segment ${segment}`);
    if (Buffer.byteLength(segment) > MAX_SEGMENT)
      throw refused(name, `a segment has more than ${MAX_SEGMENT} bytes`);
    if (isOwnName(segment)) throw refused(name, `names that begin with ${OWN_FOLDER} are stormlamp's own`);
  }
  return name;
}

/** Whether a file or folder of this name is ours. */
export function isOwnName(segment: string): boolean {
  return segment === OWN_FOLDER || segment.startsWith(UNFINISHED);
}

/**
 * Makes sure that no symbolic link on the way to a file leads out of the mount. (The file itself is never opened through
 * a link.) Call inside `Mount.run`.
 *
 * @throws StormlampError `ERR_FILE_NAME`.
 */
export async function assertInside(mount: Mount, name: string): Promise<void> {
  if (!name.includes('/')) return;
  const root = await realpath(mount.path);
  for (let folder = dirname(name); folder !== '.'; folder = dirname(folder)) {
    let real: string;
    try {
      real = await realpath(join(mount.path, folder));
    } catch (error) {
      if (!isMissing(error)) throw error;
      // A link to nowhere is no folder that is still to be made.
      const link = await lstat(join(mount.path, folder)).catch(() => undefined);
      if (link?.isSymbolicLink() === true) throw refused(name, 'a link on the way leads nowhere');
      continue;
    }
    if (real !== root && !real.startsWith(root + sep))
      throw refused(name, 'a symbolic link on the way leads out of the mount');
    return;
  }
}

/**
 * Makes sure that a folder is none by a symbolic link. Call inside `Mount.run`, from the top downwards.
 *
 * @throws StormlampError `ERR_FILE_NAME`.
 */
export async function assertNoLink(mount: Mount, folder: string): Promise<void> {
  const found = folder === '' ? undefined : await lstat(mount.at(folder)).catch(() => undefined);
  if (found?.isSymbolicLink() === true) throw refused(folder, `it is a symbolic link on ${mount.path}`);
}

function refused(name: unknown, why: string): StormlampError {
  const shown = typeof name === 'string' ? JSON.stringify(name.slice(0, 120)) : typeof name;
  return new StormlampError(
    ErrorCode.FILE_NAME,
    `The file name ${shown} is not allowed: ${why}. Names are relative, like uploads/2024/a.jpg`,
  );
}
