/** Writes a small file so that every reader sees the old or the new contents, and never a part. */
import { randomUUID } from 'node:crypto';
import { open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

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

/** Writes, flushes to the disk, and renames into place, with the permissions `mode`. Leaves nothing behind when it fails. */
export async function replaceFile(path: string, contents: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = unfinishedPath(path);
  const file = await open(temporary, 'wx', 0o600);
  try {
    try {
      await file.writeFile(contents);
      // What was asked for at opening is cut down by the umask.
      if (mode !== 0o600) await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
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
