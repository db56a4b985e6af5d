/** Writes a small file so that every reader sees the old or the new contents, and never a part. */
import { randomUUID } from 'node:crypto';
import { type FileHandle, link, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { FileOwner } from './file-owner.js';
import { errnoOf } from './mount-health.js';

/** Start of the names of files that are not finished. */
export const UNFINISHED = '.stormlamp-';

/** A name beside `path` for what will become it. */
export function unfinishedPath(path: string): string {
  return join(dirname(path), `${UNFINISHED}${randomUUID()}.tmp`);
}

/** Whether a file of this name was left behind by a write that did not finish. */
export function isUnfinished(path: string): boolean {
  return basename(path).startsWith(UNFINISHED);
}

/** Age, in milliseconds, at which a file that never got its name is a leftover of a process that died. */
export const LEFTOVER_MS = 86_400_000;

/** What becomes of a new file. */
export interface NewFile {
  /** Permission bits. Default 0600. */
  readonly mode?: number | undefined;
  /** Whom it is given to; left out, it stays this process's user's. */
  readonly owner?: FileOwner | undefined;
}

/** Writes, flushes to the disk, and renames into place. Leaves nothing behind when it fails. */
export async function replaceFile(
  path: string,
  contents: string | Uint8Array,
  become: NewFile = {},
): Promise<void> {
  const temporary = await writeBeside(path, contents, become);
  try {
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Writes a file in the same way unless there is one already, mode 0600; whether it did. */
export async function createFile(
  path: string,
  contents: string | Uint8Array,
  owner?: FileOwner,
): Promise<boolean> {
  const temporary = await writeBeside(path, contents, { owner });
  try {
    // Unlike a rename it replaces nothing.
    await link(temporary, path).catch(async (error: unknown) => {
      if (!WITHOUT_LINKS.has(errnoOf(error) ?? '')) throw error;
      const file = await open(path, 'wx', 0o600);
      await finish(file, contents, { owner });
    });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    return false;
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
  await syncFolder(dirname(path));
  return true;
}

/** What file systems answer that have no hard links: CIFS, FAT, some of those in user space. */
const WITHOUT_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK']);

async function writeBeside(path: string, contents: string | Uint8Array, become: NewFile): Promise<string> {
  const temporary = unfinishedPath(path);
  const file = await open(temporary, 'wx', 0o600);
  try {
    await finish(file, contents, become);
    return temporary;
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

async function finish(
  file: FileHandle,
  contents: string | Uint8Array,
  { mode = 0o600, owner }: NewFile,
): Promise<void> {
  try {
    await file.writeFile(contents);
    if (owner !== undefined) await file.chown(owner.uid, owner.gid);
    // What was asked for at opening is cut down by the umask.
    if (mode !== 0o600) await file.chmod(mode);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Flushes a folder, so that a rename in it survives a crash of the machine. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } catch {
    // Some file systems cannot flush folders; there is nothing more to be had from them.
  } finally {
    await folder.close();
  }
}
