/** Our own files on a mount, below `.stormlamp`: who owns them, and what is said when they cannot be used. */
import { constants, type Dirent } from 'node:fs';
import { access, lstat, opendir, readdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { closeQuietly } from './close-quietly.js';
import { assertInside } from './entry-name.js';
import { processUser } from './file-owner.js';
import { makeFolders } from './make-folders.js';
import type { Mount } from './mount.js';
import { errnoOf } from './mount-health.js';
import { OWN_FOLDER } from './mount-mark.js';
import { replaceFile } from './replace-file.js';

/**
 * Runs `work` in a folder of ours, which is made when `work` does not find it. Call inside `Mount.run`.
 *
 * @throws NodeJS.ErrnoException; StormlampError `ERR_FILE_NAME` where a link leads out of the mount.
 */
export async function inOwnFolder<T>(mount: Mount, folder: string, work: () => Promise<T>): Promise<T> {
  // What root gives away must not be led by a link of the one who gets it.
  if (mount.owner !== undefined) await assertInside(mount, relative(mount.path, join(folder, 'x')));
  try {
    return await work();
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  await makeFolders(mount.path, folder, { mode: 0o700, owner: mount.owner });
  return work();
}

/** Writes a file of ours, as {@link replaceFile} does, and makes the folders to it. Call inside `Mount.run`. */
export function writeOwnFile(mount: Mount, path: string, contents: string | Uint8Array): Promise<void> {
  return inOwnFolder(mount, dirname(path), () => replaceFile(path, contents, { owner: mount.owner }));
}

/**
 * Makes sure that this user may read and write what is remembered on a mount. What is wrong with the mount itself is left to
 * the looks at it.
 *
 * @throws StormlampError `ERR_ACCESS_DENIED` with the remedy.
 */
export async function assertUsable(mount: Mount): Promise<void> {
  const own = mount.at(OWN_FOLDER);
  const look = async (): Promise<string | undefined> => {
    // Where the mount's own folder keeps this user out, nothing may be mounted there.
    if ((await lstat(own).catch(() => undefined)) === undefined) return undefined;
    const below = await Promise.all(['missed', 'settled'].map((name) => foldersIn(join(own, name))));
    for (const folder of [own, ...(await foldersIn(own)), ...below.flat()])
      if (await isRefused(folder)) return folder;
    return undefined;
  };
  const refused = await mount.reach('Looking at what is remembered', look).catch(() => undefined);
  if (refused !== undefined) throw await denied(mount, refused);
}

/** Turns the system's refusal of one of our own files into an error with the remedy; others stay as they are. */
export async function explainRefusal(mount: Mount, path: string, error: unknown): Promise<unknown> {
  const code = errnoOf(error);
  return code === 'EACCES' || code === 'EPERM' ? denied(mount, path, error) : error;
}

async function denied(mount: Mount, path: string, cause?: unknown): Promise<StormlampError> {
  const found = await mount.reach('Looking at an owner', () => lstat(path)).catch(() => undefined);
  const whose = found === undefined ? '' : `, it belongs to uid ${found.uid}`;
  const message = `${path} may not be used by this process (uid ${processUser().uid})${whose}: what mounts missed is remembered there, so the sessions and files cannot be trusted without it; give it to the user of the service: chown -R <user> ${mount.at(OWN_FOLDER)}`;
  return new StormlampError(ErrorCode.ACCESS_DENIED, message, { cause, node: mount.path });
}

async function foldersIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((): Dirent[] => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
}

async function isRefused(folder: string): Promise<boolean> {
  try {
    // Tried, because access(2) goes by the user who began the process and not by the one it became.
    await closeQuietly(await opendir(folder));
    await lstat(`${folder}/.`);
    await access(folder, constants.W_OK);
    return false;
  } catch (error) {
    const code = errnoOf(error);
    return code === 'EACCES' || code === 'EPERM';
  }
}
