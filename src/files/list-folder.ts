/**
 * Lists a folder of a mount piece by piece. Every call on a mount has a deadline, and a folder of half a million sessions would
 * not keep it as a whole: the mount would count as hung.
 */
import type { Dir, Dirent } from 'node:fs';
import { opendir } from 'node:fs/promises';
import type { Mount } from './mount.js';
import { unlessMissing } from './mount-health.js';

/** Entries that are read by one call. */
const PIECE = 256;

/**
 * The entries of a folder, some at a time, in the order of the file system; none where there is no such folder.
 * Errors: as `Mount.run`, of `before`.
 *
 * @param before what to do before the folder is opened, by the same call
 */
export async function* listFolder(
  mount: Mount,
  path: string,
  before: () => Promise<unknown> = async () => undefined,
): AsyncGenerator<readonly Dirent[]> {
  const folder = await mount.run(
    'Opening a folder',
    async () => {
      await before();
      return unlessMissing(opendir(path, { bufferSize: PIECE }));
    },
    (late) => void (late && mount.close(late)),
  );
  if (folder === undefined) return;
  try {
    for (;;) {
      const piece = await mount.run('Listing', () => readPiece(folder));
      if (piece.length === 0) return;
      yield piece;
    }
  } finally {
    await mount.close(folder);
  }
}

async function readPiece(folder: Dir): Promise<Dirent[]> {
  const piece: Dirent[] = [];
  while (piece.length < PIECE) {
    const entry = await folder.read();
    if (entry === null) break;
    piece.push(entry);
  }
  return piece;
}
