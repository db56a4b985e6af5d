/**
 * Renews the date of a session's copies, as PHP does with `utime`.
 *
 * Each is dated under its own lock, where that can be had at once: whoever looks at a copy and dates it then, could give the date
 * that all copies get to what PHP has written in between, and nobody would bring that to the others. A page of PHP that has the
 * lock is not waited for: then the copies get different dates, so that they are looked at.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { closeQuietly } from '../files/close-quietly.js';
import type { Flock } from '../files/flock.js';
import { assertRegular } from '../files/locked-file.js';
import type { MirroredMounts } from '../files/mirrored-mounts.js';
import type { Mount } from '../files/mount.js';
import { unlessMissing } from '../files/mount-health.js';
import { reopened } from '../files/when-stale.js';
import { laggingDate, looksAlike, type SeenCopy } from './copy-date.js';

/** What a touch did. */
export interface CopiesTouched {
  /** The mounts that answered, whether they have a copy or not. */
  readonly reached: readonly Mount[];
  /** The others, each with the reason. */
  readonly missed: ReadonlyMap<Mount, unknown>;
}

interface TouchedCopy extends SeenCopy {
  /** Whether nobody else could write it between the look and the new date. */
  readonly locked: boolean;
}

const ABSENT: TouchedCopy = { size: -1, mtimeMs: 0, locked: true };

/**
 * Dates the copies of `name` on all mounts; those that missed it get the date when they are back. Never rejects.
 *
 * @param at in milliseconds since 1970
 */
export async function touchCopies(
  mirrored: MirroredMounts,
  flock: Flock,
  name: string,
  at: number,
): Promise<CopiesTouched> {
  const reached: Mount[] = [];
  const holders: Mount[] = [];
  const missed = new Map<Mount, unknown>();
  let first: TouchedCopy | undefined;
  for (const mount of mirrored.mounts) {
    try {
      const copy = await reopened(() =>
        mount.run('Touching', () => touchCopy(mount.at(name), flock, at, first)),
      );
      if (copy === ABSENT) await mount.confirm();
      first ??= copy;
      reached.push(mount);
      if (copy !== ABSENT) holders.push(mount);
    } catch (error) {
      missed.set(mount, error);
    }
  }
  // What speaks about one file only is nothing that its mount could make up for.
  for (const misser of missed.keys())
    if (!misser.writable) await mirrored.rememberTouch(holders, misser, name);
  return { reached, missed };
}

async function touchCopy(
  path: string,
  flock: Flock,
  at: number,
  first: TouchedCopy | undefined,
): Promise<TouchedCopy> {
  const flags = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await unlessMissing(open(path, flags));
  if (handle === undefined) return ABSENT;
  try {
    await assertRegular(handle, path);
    const locked = await flock.tryLock(handle.fd, 'exclusive');
    const { size, mtimeMs } = await handle.stat();
    const copy = { size, mtimeMs, locked };
    const isSame = first === undefined || (locked && first.locked && looksAlike(copy, first));
    const seconds = (isSame ? at : laggingDate(at)) / 1000;
    await handle.utimes(seconds, seconds);
    return copy;
  } finally {
    await closeQuietly(handle);
  }
}
