/** Writes the marks of mounts. */
import { dirname } from 'node:path';
import type { Mount } from './mount.js';
import { type MountMark, markPath, noMark } from './mount-mark.js';
import { inOwnFolder, writeOwnFile } from './own-files.js';
import { createFile } from './replace-file.js';

/** Writes the mark of a mount, whatever mark it has. Errors: as `Mount.reach`. */
export function writeMark(mount: Mount, mark: MountMark): Promise<void> {
  return mount.reach('Marking', () => writeOwnFile(mount, markPath(mount.path), textOf(mark)));
}

/**
 * Marks a mount that has no mark yet. Of several processes that do so at once, the first one does.
 *
 * @returns the mark that it has now
 * @throws StormlampError `ERR_MOUNT_DOWN` for a mark that cannot be understood; otherwise as `Mount.reach`.
 */
export async function createMark(mount: Mount, mark: MountMark): Promise<MountMark> {
  const path = markPath(mount.path);
  const made = await mount.reach('Marking', () =>
    inOwnFolder(mount, dirname(path), () => createFile(path, textOf(mark), mount.owner)),
  );
  if (made) return mark;
  const stored = await mount.readMark();
  if (stored === undefined) throw noMark(mount.path);
  return stored;
}

function textOf(mark: MountMark): string {
  return JSON.stringify({ version: 1, ...mark });
}
