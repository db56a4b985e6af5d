/** What a shared folder holds, over all mounts. */
import { join } from 'node:path';
import { assertInside, isOwnName } from './entry-name.js';
import { listFolder } from './list-folder.js';
import type { MirroredMounts } from './mirrored-mounts.js';
import type { Mount } from './mount.js';
import { isMissing } from './mount-health.js';
import { decidingCopy } from './shared-change.js';

/** Something in a shared folder. */
export interface SharedEntry {
  /** Its name, from the top. */
  readonly name: string;
  /** What it is. Links and devices are not listed. */
  readonly kind: 'file' | 'folder';
}

/**
 * What a folder holds, in the order of names: what every mount that answers has, and of what only some have that which
 * counts.
 *
 * @throws StormlampError `ERR_STORE_DOWN` when no mount answers, `ERR_FILE_NAME`.
 */
export async function listShared(mirrored: MirroredMounts, folder: string): Promise<readonly SharedEntry[]> {
  const failures = new Map<Mount, unknown>();
  const seen = new Map<string, { kind: 'file' | 'folder'; on: number }>();
  let asked = 0;
  for (const mount of mirrored.readable()) {
    try {
      for (const [name, kind] of await entriesOn(mount, folder)) {
        const on = (seen.get(name)?.on ?? 0) + 1;
        seen.set(name, { kind, on });
      }
      await mount.confirm();
      asked += 1;
    } catch (error) {
      if (mount.readable) throw error;
      failures.set(mount, error);
    }
  }
  if (asked === 0) throw mirrored.allDown('No mount can be listed', failures);
  const entries: SharedEntry[] = [];
  for (const [short, { kind, on }] of [...seen].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const name = join(folder, short);
    const counts = kind === 'folder' || on === asked || (await exists(mirrored, name));
    if (counts) entries.push({ name, kind });
  }
  return entries;
}

async function exists(mirrored: MirroredMounts, name: string): Promise<boolean> {
  const found = await decidingCopy(mirrored, mirrored.readable(), name);
  return found !== undefined && found.copy.version !== null;
}

async function entriesOn(mount: Mount, folder: string): Promise<ReadonlyMap<string, 'file' | 'folder'>> {
  const found = new Map<string, 'file' | 'folder'>();
  const inside = () => (folder === '' ? Promise.resolve() : assertInside(mount, join(folder, 'x')));
  try {
    for await (const piece of listFolder(mount, mount.at(folder), inside)) {
      for (const entry of piece) {
        if (isOwnName(entry.name)) continue;
        if (entry.isFile()) found.set(entry.name, 'file');
        else if (entry.isDirectory()) found.set(entry.name, 'folder');
      }
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return found;
}
