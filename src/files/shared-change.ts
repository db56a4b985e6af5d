/** Changes a shared file on every mount, under the lock of its name, and remembers who missed it. */
import type { Deadline } from '../common/deadline.js';
import { ErrorCode } from '../common/stormlamp-error.js';
import type { Flock } from './flock.js';
import type { MirroredMounts } from './mirrored-mounts.js';
import { isSuperseded } from './missed-writes.js';
import type { Mount } from './mount.js';
import { assertTakable, assertTaken, type MountAcks, noteTaken } from './mount-acks.js';
import { withNameLocked } from './name-lock.js';
import { lookAt, NO_SHARED_COPY, type SharedCopy } from './shared-copy.js';
import { unusablePlace } from './unusable-place.js';

/** What shared files work with. */
export interface SharedFilesParts {
  /** The mounts. */
  readonly mirrored: MirroredMounts;
  /** Takes locks. */
  readonly flock: Flock;
  /** How long locks are waited for, in milliseconds. */
  readonly waitMs: number;
  /** How many mounts must take a change. */
  readonly acks: MountAcks;
}

/** A mount that did not take a change. */
export interface MissedMount {
  /** The mount's path. */
  readonly mount: string;
  /** Why. */
  readonly error: unknown;
}

/** What a change did. */
export interface SharedChange {
  /** The file before. */
  readonly before: SharedCopy;
  /** Mounts that took it. */
  readonly reached: readonly Mount[];
  /** Mounts that missed it, which is remembered. */
  readonly missed: readonly MissedMount[];
}

/** A copy and its mount. */
export interface PlacedCopy {
  /** The mount. */
  readonly mount: Mount;
  /** The copy. */
  readonly copy: SharedCopy;
}

/**
 * The copy that counts: on the first of `mounts` that answers and did not miss a write of it. What went wrong on the
 * others is put into `failures`.
 */
export async function decidingCopy(
  mirrored: MirroredMounts,
  mounts: readonly Mount[],
  name: string,
  failures: Map<Mount, unknown> = new Map(),
): Promise<PlacedCopy | undefined> {
  let stale: PlacedCopy | undefined;
  for (const mount of mounts) {
    if (!mount.readable) continue;
    try {
      const copy = await lookAt(mount, name);
      const missed = await mirrored.missedBy(mount, name);
      if (missed === undefined || !isSuperseded(copy, missed)) return { mount, copy };
      stale ??= { mount, copy };
    } catch (error) {
      if (mount.readable) throw error;
      failures.set(mount, error);
    }
  }
  return stale;
}

/**
 * Runs `change` on every mount whose lock of the name is held.
 *
 * @param made the version that the file gets
 * @param refused what went wrong already, on mounts that are not to be tried
 * @throws StormlampError `ERR_FILE_NAME` where a folder, or a file on the way, is in its place everywhere, `ERR_FILE_LOCKED`,
 * `ERR_STORE_DOWN` when no mount took it, or too few can (nothing was changed), `ERR_OUTCOME_UNKNOWN` when too few took it, or what was
 * missed could not be remembered: it counts, `ERR_ABORTED`.
 */
export function changeShared(
  parts: SharedFilesParts,
  name: string,
  kind: 'write' | 'delete',
  made: string | null,
  deadline: Deadline,
  change: (mount: Mount) => Promise<void>,
  refused: ReadonlyMap<Mount, unknown> = new Map(),
): Promise<SharedChange> {
  const { mirrored, acks } = parts;
  return withNameLocked(parts, name, deadline, async (held, unlocked) => {
    const failures = new Map([...unlocked, ...refused]);
    const targets = held.filter((mount) => !failures.has(mount));
    const before = (await decidingCopy(mirrored, held, name))?.copy ?? NO_SHARED_COPY;
    const at = Date.now();
    const record = (superseded: string | null) => ({ name, kind, superseded, at });
    const absent = mirrored.mounts.filter((mount) => !targets.includes(mount));
    if (targets.length === 0) throw mirrored.allDown(`No mount can take ${name}`, failures);
    assertTakable(mirrored, acks, { what: name, mounts: targets, failures });
    // Written down first: were this process to die after the change, nobody would know that a copy is stale.
    for (const misser of absent) await mirrored.remember(targets, misser, record(before.version));
    const reached: Mount[] = [];
    for (const mount of targets) {
      try {
        await change(mount);
        reached.push(mount);
      } catch (error) {
        failures.set(mount, error);
      }
    }
    if (reached.length === 0)
      throw unusablePlace(name, failures.values()) ?? mirrored.allDown(`No mount took ${name}`, failures);
    for (const misser of targets) {
      if (reached.includes(misser)) continue;
      const late = misser.writable ? undefined : [{ version: made }];
      await noteTaken(mirrored.remember(reached, misser, { ...record(before.version), late }));
    }
    // What they had missed before is made good by this.
    for (const mount of reached)
      if (!(await mirrored.forget(mount, name)))
        throw mirrored.allDown(
          `The change was made, but what ${mount.path} had missed of ${name} before cannot be taken back`,
          failures,
          ErrorCode.OUTCOME_UNKNOWN,
        );
    assertTaken(mirrored, acks, { what: name, mounts: reached, failures });
    const missed = mirrored.mounts
      .filter((mount) => !reached.includes(mount))
      .map((mount) => ({
        mount: mount.path,
        error: failures.get(mount) ?? ('error' in mount.health ? mount.health.error : undefined),
      }));
    return { before, reached, missed };
  });
}
