/**
 * Finds out which mounts these are, by their marks, and marks them when none of them has one.
 *
 * Several processes may open new mounts at the same time. Whoever marks the first one decides for all: a mark is made only
 * where there is none, and everybody else takes over what is stored.
 */
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { FileOwner } from './file-owner.js';
import { createMark } from './mark-mount.js';
import type { Mount } from './mount.js';
import { type MountMark, markPath, newMarks } from './mount-mark.js';
import { assertUsable } from './own-files.js';

/** What is known of a mount: its mark, that it has none, or nothing, because it cannot be read. */
type Sight = MountMark | 'unmarked' | 'unread';

/** How often a mount without a mark is looked at anew while others have one: whoever marks them may not be done yet. */
const LOOKS = 10;
const PAUSE_MS = 50;

/** How mounts are identified. */
export interface IdentifySettings {
  /** The name of the option that lists them, for messages. */
  readonly optionPath: string;
  /** Whom our own files are given to, by the folder of the mount that decides; `'nobody-is-to-mark'` makes nothing. */
  readonly ownerIn: OwnerIn | 'nobody-is-to-mark';
}

type OwnerIn = (folder: Stats, path: string) => FileOwner | undefined;

/**
 * Tells every mount its id, and whom our own files on it belong to.
 *
 * @returns whether they have marks now
 * @throws StormlampError `ERR_INVALID_OPTION` where the mounts are marked as another set than the list says,
 * `ERR_ACCESS_DENIED` where this user may not use what is remembered on them; what `ownerIn` throws.
 */
export async function identifyMounts(
  mounts: readonly Mount[],
  { optionPath, ownerIn }: IdentifySettings,
): Promise<boolean> {
  await Promise.all(mounts.map(assertUsable));
  const sights = await Promise.all(mounts.map(lookForMark));
  if (ownerIn !== 'nobody-is-to-mark') {
    const marked = mounts.filter((_, index) => isMark(sights[index]));
    const owner = await ownerOf(marked.length > 0 ? marked : mounts, ownerIn);
    for (const mount of mounts) mount.giveTo(owner);
    if (marked.length === 0) await markAll(mounts, sights);
  }
  const known = sights.find(isMark);
  if (known === undefined) return false;
  for (let look = 0; look < LOOKS && sights.includes('unmarked'); look += 1) {
    await wait(PAUSE_MS);
    for (const [index, mount] of mounts.entries())
      if (sights[index] === 'unmarked') sights[index] = await lookForMark(mount);
  }
  const { members } = known;
  if (members.length !== mounts.length) {
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      `\`${optionPath}\` lists ${mounts.length} mounts, but they were marked as a set of ${members.length}; list them all, or remove ${markPath('<mount>')} on every one to mark them anew`,
    );
  }
  for (const [index, mount] of mounts.entries()) {
    const mark = sights[index];
    const id = members[index] ?? '';
    if (isMark(mark) && (mark.id !== id || mark.members.join() !== members.join())) {
      throw new StormlampError(
        ErrorCode.INVALID_OPTION,
        `\`${optionPath}\` lists ${mount.path} at place ${index + 1}, where its set has another mount; every process must list the same mounts in the same order (the mark is ${markPath(mount.path)}; a copied mark must be removed)`,
      );
    }
    mount.identify(id);
  }
  return true;
}

/** Marks what can be marked, in the order of the list. A mount that cannot be is down, and can be admitted later. */
async function markAll(mounts: readonly Mount[], sights: Sight[]): Promise<void> {
  let members: readonly string[] | undefined;
  for (const [index, ours] of newMarks(mounts.length).entries()) {
    const mount = mounts[index];
    const id = members === undefined ? ours.id : members[index];
    if (mount === undefined || id === undefined) return;
    const mark = { ...ours, id, members: members ?? ours.members };
    const stored = await createMark(mount, mark).catch((): Sight => 'unread');
    sights[index] = stored;
    if (isMark(stored)) members ??= stored.members;
  }
}

/** By the first folder that is there. */
async function ownerOf(mounts: readonly Mount[], ownerIn: OwnerIn): Promise<FileOwner | undefined> {
  for (const mount of mounts) {
    const folder = await mount.reach('Looking at the folder', () => stat(mount.path)).catch(() => undefined);
    if (folder?.isDirectory() === true) return ownerIn(folder, mount.path);
  }
  return undefined;
}

async function lookForMark(mount: Mount): Promise<Sight> {
  try {
    return (await mount.readMark()) ?? 'unmarked';
  } catch {
    return 'unread';
  }
}

function isMark(sight: Sight | undefined): sight is MountMark {
  return typeof sight === 'object';
}
