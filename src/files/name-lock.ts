/**
 * Locks the name of a shared file against other writers, on this machine and on others that have the same mounts.
 *
 * A shared file is replaced, so its own lock would be that of an old inode. Every mount therefore has 256 lock files, and
 * a name has one of them, by its hash. They are locked on every mount that can be written, in the mounts' order.
 */
import { createHash } from 'node:crypto';
import type { Deadline } from '../common/deadline.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { Flock } from './flock.js';
import { type LockedFile, openLocked } from './locked-file.js';
import type { MirroredMounts } from './mirrored-mounts.js';
import type { Mount } from './mount.js';
import { OWN_FOLDER } from './mount-mark.js';

/** What a lock is taken with. */
export interface NameLockOptions {
  /** The mounts. */
  readonly mirrored: MirroredMounts;
  /** Takes locks. */
  readonly flock: Flock;
  /** How long the lock is waited for, in milliseconds. */
  readonly waitMs: number;
}

/**
 * Runs `work` with the name locked.
 *
 * @param work gets the mounts whose lock is held, in their order, and what went wrong on the others
 * @throws StormlampError `ERR_FILE_LOCKED`, `ERR_STORE_DOWN` when no mount can be locked, `ERR_ABORTED`; what `work` throws.
 */
export async function withNameLocked<T>(
  options: NameLockOptions,
  name: string,
  deadline: Deadline,
  work: (held: readonly Mount[], failures: ReadonlyMap<Mount, unknown>) => Promise<T>,
): Promise<T> {
  const { mirrored, flock, waitMs } = options;
  const slot = createHash('sha256').update(name).digest('hex').slice(0, 2);
  return mirrored.turns.run(`slot ${slot}`, async () => {
    const patience = deadline.within(Math.max(1, waitMs));
    const files: LockedFile[] = [];
    const failures = new Map<Mount, unknown>();
    try {
      for (const mount of mirrored.writable()) {
        const path = mount.at(OWN_FOLDER, 'locks', slot);
        let file: LockedFile | 'absent' | 'busy';
        try {
          file = await openLocked({
            mount,
            path,
            flock,
            create: { mode: 0o600, owner: mount.owner },
            patience,
          });
        } catch (error) {
          if (mount.health.phase === 'healthy') throw error;
          failures.set(mount, error);
          continue;
        }
        if (typeof file === 'string') throw lockedFor(name, waitMs);
        files.push(file);
      }
      if (files.length === 0) throw mirrored.allDown(`No mount can take ${name}`, failures);
      return await work(
        files.map(({ mount }) => mount),
        failures,
      );
    } finally {
      for (const { mount, handle } of files.reverse()) await mount.close(handle);
    }
  });
}

function lockedFor(name: string, waitMs: number): StormlampError {
  const message = `Another process kept the lock of ${name} for ${waitMs} ms; nothing was changed`;
  return new StormlampError(ErrorCode.FILE_LOCKED, message);
}
