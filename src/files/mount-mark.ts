/**
 * The mark that tells a mount from the empty folder that is left when it is not mounted, and the mounts from each other.
 *
 * Every mount of a set holds `.stormlamp/mount.json` with its own id and the ids of all, in the order in which they are
 * configured. A process that lists them in another order would lock and decide in another order, and is refused.
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { unlessMissing } from './mount-health.js';

/** Our own folder on every mount. */
export const OWN_FOLDER = '.stormlamp';

/** What the mark of a mount says. */
export interface MountMark {
  /** The mount's id. */
  readonly id: string;
  /** The ids of all mounts of the set, in their order. */
  readonly members: readonly string[];
  /** False while the mount is being filled. */
  readonly filled: boolean;
}

/** New marks for a set of so many mounts. */
export function newMarks(count: number): readonly MountMark[] {
  const members = Array.from({ length: count }, () => randomUUID());
  return members.map((id) => ({ id, members, filled: true }));
}

/** Path of the mark of the mount at `root`. */
export function markPath(root: string): string {
  return join(root, OWN_FOLDER, 'mount.json');
}

/**
 * The mark of a mount, undefined when it has none.
 *
 * @throws StormlampError `ERR_MOUNT_DOWN` for a mark that cannot be understood; NodeJS.ErrnoException.
 */
export async function readMark(root: string): Promise<MountMark | undefined> {
  const text = await unlessMissing(readFile(markPath(root), 'utf8'));
  // Empty while it is made on a file system without hard links.
  if (text === undefined || text === '') return undefined;
  const mark = parseMark(text);
  if (mark !== undefined) return mark;
  throw noMark(root);
}

/** What is said of a mark that cannot be understood. */
export function noMark(root: string): StormlampError {
  return new StormlampError(
    ErrorCode.MOUNT_DOWN,
    `${markPath(root)} is not a mark of stormlamp; remove it and fill the mount`,
    { node: root },
  );
}

/** What a mark's text says, undefined when it is none. */
export function parseMark(text: string): MountMark | undefined {
  try {
    const { id, members, filled, version } = JSON.parse(text) as Record<string, unknown>;
    const sound =
      version === 1 &&
      typeof id === 'string' &&
      isId(id) &&
      Array.isArray(members) &&
      members.every((member): member is string => typeof member === 'string' && isId(member)) &&
      members.includes(id) &&
      typeof filled === 'boolean';
    return sound ? { id, members, filled } : undefined;
  } catch {
    // Half a mark, left by a damaged disk.
    return undefined;
  }
}

function isId(text: string): boolean {
  return /^[0-9a-f-]{36}$/.test(text);
}
