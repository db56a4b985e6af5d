/**
 * Who brings the contents of a file to a mount brings what others missed of it, too. That mount may be the only one that can be asked
 * when they are back, and what they hold then must not count.
 */
import type { MirroredMounts } from './mirrored-mounts.js';
import { findMissed, forgetMissed, listMissed, rememberMissed } from './missed-writes.js';
import type { Mount } from './mount.js';

/**
 * Lets a mount remember what others missed of a file. Call it under the file's lock, before the mount gets the contents. Errors: as
 * `MirroredMounts.missedBy`, and as `Mount.run` of the mount.
 */
export async function shareMissed(mirrored: MirroredMounts, mount: Mount, name: string): Promise<void> {
  // Of two mounts, the other one knows what it has.
  if (mirrored.mounts.length < 3) return;
  for (const misser of mirrored.mounts) {
    if (misser === mount) continue;
    const missed = await mirrored.missedBy(misser, name);
    if (missed !== undefined) await rememberMissed(mount, misser, missed);
  }
}

/**
 * Lets a mount remember everything that others missed, files included that were removed and of which it gets nothing. Nothing needs
 * to be locked: what was made up for meanwhile is not kept. Errors: as {@link shareMissed}, and as `Mount.run` of those that remember it.
 */
export async function shareAllMissed(mirrored: MirroredMounts, mount: Mount): Promise<void> {
  if (mirrored.mounts.length < 3) return;
  for (const misser of mirrored.mounts) {
    for (const holder of mirrored.readable()) {
      if (misser === mount || holder === mount || holder === misser) continue;
      for await (const record of listMissed(holder, misser)) {
        if ('hash' in record || record.kind === 'touch') continue;
        const missed = await mirrored.missedBy(misser, record.name);
        if (missed === undefined) continue;
        await rememberMissed(mount, misser, missed);
        if ((await findMissed(holder, misser, record.name)) === undefined)
          await forgetMissed(mount, misser, record.name);
      }
    }
  }
}
