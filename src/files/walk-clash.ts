/** A name that is a file on one mount and a folder on another. */
import type { Stats } from 'node:fs';
import { lstat, readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { Mount } from './mount.js';
import { unlessMissing } from './mount-health.js';

/** The mounts that have a name as a file, and those that have it as a folder. */
export interface WalkClash {
  /** Where it is a file. */
  readonly files: readonly Mount[];
  /** Where it is a folder. */
  readonly folders: readonly Mount[];
}

/** Looks what a name is on every mount. Errors: as `Mount.run`. */
export async function lookAtClash(mounts: readonly Mount[], name: string): Promise<WalkClash> {
  const found: [Mount, Stats | undefined][] = [];
  for (const mount of mounts)
    found.push([mount, await mount.run('Looking at a name', () => unlessMissing(lstat(mount.at(name))))]);
  const that = (is: (stats: Stats) => boolean): readonly Mount[] =>
    found.flatMap(([mount, stats]) => (stats !== undefined && is(stats) ? [mount] : []));
  return { files: that((stats) => stats.isFile()), folders: that((stats) => stats.isDirectory()) };
}

/** The error of a clash that a walk does not decide. */
export function clashError(name: string, { files, folders }: WalkClash): StormlampError {
  const list = (mounts: readonly Mount[]): string => mounts.map(({ path }) => path).join(', ');
  return new StormlampError(
    ErrorCode.FILE_CLASH,
    `${name} is a file on ${list(files)} and a folder on ${list(folders)}; remove the one that is not wanted, or walk one way with \`prune\` from the mount that is right`,
  );
}

/** The error of a one-way walk whose source has not what was written last. */
export function sourceMissed(name: string, source: Mount): StormlampError {
  return new StormlampError(
    ErrorCode.FILE_CLASH,
    `${source.path} missed the last write or deletion of ${name}, so that it was not taken from there; let that be repaired first (the mount has to take writes), or walk with \`mode: 'heal'\``,
    { node: source.path },
  );
}

/** Removes a folder that has only empty folders in it. Errors: as `Mount.run`; `ENOTEMPTY` when there is more in it. */
export async function removeEmptyFolders(mount: Mount, name: string): Promise<void> {
  for (const entry of await mount.run('Listing', () => readdir(mount.at(name), { withFileTypes: true })))
    if (entry.isDirectory()) await removeEmptyFolders(mount, join(name, entry.name));
  await mount.run('Removing a folder', () => rmdir(mount.at(name)));
}
