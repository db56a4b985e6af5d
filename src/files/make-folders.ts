/** Makes the folders that lead to a file, but never the mount itself. */
import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { FileOwner } from './file-owner.js';
import { errnoOf } from './mount-health.js';

/** How folders are made. */
export interface FolderCreation {
  /** Permission bits, before the process's umask. */
  readonly mode: number;
  /** Whom they are given to, when it is not this process's user. */
  readonly owner?: FileOwner | undefined;
}

/**
 * Makes what is missing between `root` and `folder`. `root` itself is never made: where it is missing, the mount is, and a
 * folder in its place would take files that nobody sees once the mount is back.
 */
export async function makeFolders(root: string, folder: string, how: FolderCreation): Promise<void> {
  let path = root;
  for (const segment of relative(root, folder).split(sep)) {
    if (segment === '') continue;
    path = join(path, segment);
    try {
      await mkdir(path, { mode: how.mode });
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') continue;
      throw error;
    }
    if (how.owner !== undefined) await give(path, how.owner);
  }
}

async function give(path: string, owner: FileOwner): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_DIRECTORY);
  try {
    await folder.chown(owner.uid, owner.gid);
  } finally {
    await folder.close();
  }
}
