/** Brings a shared file of a mount that missed a change up to date. */

import { randomUUID } from 'node:crypto';
import { rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Deadline } from '../common/deadline.js';
import { isStormlampError } from '../common/stormlamp-error.js';
import { decideRepair } from './decide-repair.js';
import { checkEntryName, isOwnName } from './entry-name.js';
import { listFolder } from './list-folder.js';
import type { MountRepairer, RepairOutcome } from './mirrored-mounts.js';
import type { MissedWrite } from './missed-writes.js';
import type { Mount } from './mount.js';
import { unlessMissing } from './mount-health.js';
import { OWN_FOLDER } from './mount-mark.js';
import { withNameLocked } from './name-lock.js';
import { inOwnFolder } from './own-files.js';
import { shareMissed } from './share-missed.js';
import { decidingCopy, type PlacedCopy, type SharedFilesParts } from './shared-change.js';
import { copyShared, lookAt } from './shared-copy.js';
import { bury } from './tombstones.js';

/** Told when two copies could not be put in an order. */
export type SharedCopiesDiffered = (event: {
  readonly name: string;
  readonly mount: string;
  readonly kept: 'its own' | 'the others';
  /** Where the copy that lost is kept, on its mount. */
  readonly aside: string | undefined;
}) => void;

/** How long a repair waits for a name that is in use; it comes back later. */
const REPAIR_WAIT_MS = 200;

/** See the head of this file. */
export class SharedRepair implements MountRepairer {
  readonly #parts: SharedFilesParts;
  readonly #differed: SharedCopiesDiffered;

  /** Makes it; nothing runs. */
  constructor(parts: SharedFilesParts, differed: SharedCopiesDiffered) {
    this.#parts = { ...parts, waitMs: Math.min(parts.waitMs, REPAIR_WAIT_MS) };
    this.#differed = differed;
  }

  /** Repairs one file. */
  async repair(mount: Mount, missed: MissedWrite): Promise<RepairOutcome> {
    const { name } = missed;
    try {
      checkEntryName(name);
      return await withNameLocked(this.#parts, name, Deadline.of(undefined), async (held) => {
        if (!held.includes(mount)) return 'postponed';
        const { mirrored } = this.#parts;
        const now = await mirrored.missedBy(mount, name);
        if (now === undefined) {
          await mirrored.tidy(mount, name);
          return 'settled';
        }
        const own = { mount, copy: await lookAt(mount, name) };
        const rest = held.filter((other) => other !== mount);
        const others = await decidingCopy(mirrored, rest, name);
        return others === undefined ? 'postponed' : this.#mend(own, others, rest, now);
      });
    } catch (error) {
      if (isStormlampError(error, 'ERR_FILE_LOCKED')) return 'postponed';
      throw error;
    }
  }

  /** The names of the files of every mount that answers, but for folders that may not be read. */
  async *names(): AsyncGenerator<string> {
    for (const mount of this.#parts.mirrored.readable()) yield* filesBelow(mount, '');
  }

  async #mend(
    own: PlacedCopy,
    others: PlacedCopy,
    rest: readonly Mount[],
    missed: MissedWrite,
  ): Promise<RepairOutcome> {
    try {
      return await this.#follow(own, others, rest, missed);
    } catch (error) {
      const { mount } = own;
      const late = [{ version: others.copy.version }];
      if (!mount.writable)
        await this.#parts.mirrored.remember(rest, mount, { ...missed, late }).catch(() => undefined);
      throw error;
    }
  }

  async #follow(
    own: PlacedCopy,
    others: PlacedCopy,
    rest: readonly Mount[],
    missed: MissedWrite,
  ): Promise<RepairOutcome> {
    const { name } = missed;
    const { mount } = own;
    const { mirrored } = this.#parts;
    const decision = decideRepair(own.copy, others.copy, missed, false);
    if (decision === 'give-own') {
      this.#differed({ name, mount: mount.path, kept: 'its own', aside: undefined });
      for (const other of rest) {
        await shareMissed(mirrored, other, name);
        await copyShared(name, mount, own.copy, other);
      }
    } else if (decision !== 'equal') {
      if (decision === 'overrule') await this.#setAside(mount, name);
      await shareMissed(mirrored, mount, name);
      if (others.copy.version !== null) await copyShared(name, others.mount, others.copy, mount);
      else await mount.run('Deleting', () => unlessMissing(unlink(mount.at(name))));
      if (missed.kind === 'delete') await bury(mount, { name, at: missed.at });
    }
    if (!(await mirrored.forget(mount, name, missed))) return 'postponed';
    return decision === 'give-own' ? 'kept' : 'repaired';
  }

  /** Keeps a copy that loses, though nobody ever saw it. */
  async #setAside(mount: Mount, name: string): Promise<void> {
    const aside = mount.at(OWN_FOLDER, 'conflicts', randomUUID());
    await mount.run('Setting a copy aside', () =>
      inOwnFolder(mount, dirname(aside), () => rename(mount.at(name), aside)),
    );
    this.#differed({ name, mount: mount.path, kept: 'the others', aside });
  }
}

async function* filesBelow(mount: Mount, folder: string): AsyncGenerator<string> {
  const deeper: string[] = [];
  try {
    for await (const piece of listFolder(mount, mount.at(folder))) {
      for (const entry of piece) {
        if (isOwnName(entry.name)) continue;
        if (entry.isFile()) yield join(folder, entry.name);
        else if (entry.isDirectory()) deeper.push(join(folder, entry.name));
      }
    }
  } catch (error) {
    // `lost+found`, or a folder that became a file meanwhile.
    if (mount.readable) return;
    throw error;
  }
  for (const name of deeper) yield* filesBelow(mount, name);
}
