/** Who owns files on mounts: a process of root gives them to the user who owns the folder, since others work there, too. */
import type { Stats } from 'node:fs';

/** Whom new files are given to. */
export interface FileOwner {
  /** User id. */
  readonly uid: number;
  /** Group id. */
  readonly gid: number;
}

/** The user of this process; root's ids on systems without users. */
export function processUser(): FileOwner {
  return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
}

/** Whom files in a folder are given to that a process of `self` makes; undefined when they stay its own. */
export function ownerIn(folder: Pick<Stats, 'uid' | 'gid'>, self: FileOwner): FileOwner | undefined {
  if (self.uid !== 0 || folder.uid === 0) return undefined;
  return { uid: folder.uid, gid: folder.gid };
}
