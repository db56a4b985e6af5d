/**
 * What a copy of a session file is worth whose mount missed something: one rule for each kind of note.
 *
 * - A write: a copy of the version that it superseded is stale. Any other was written since by PHP, and counts.
 * - An end (a logout, an id that was replaced at once): a session that existed before it counts no more, whatever PHP wrote into it
 *   since. Only one that was begun anew under that id counts: its file was made after the end. Where the file system does not tell
 *   when a file was made, none does.
 * - A collection: the date of the copy decides, as in every collection. What was used since counts.
 * - A touch says nothing of contents, and is not asked about here.
 *
 * Later writes change nothing of an end or a collection before them.
 */
import { endOf, isSuperseded, type MissedWrite } from '../files/missed-writes.js';
import type { FileCopy } from './file-copy.js';

/**
 * `'behind'`: it answers nobody. `'lags'`: it is not on the first mount, where PHP writes, and older than what it missed: it lacks what
 * PHP had written on the first one, and nothing else, unless the first one missed something as well. `'counts'`: neither.
 */
export type CopyStanding = 'behind' | 'lags' | 'counts';

/** Judges a copy by what its mount missed. */
export function standingOf(
  copy: FileCopy,
  missed: MissedWrite,
  isFirst: boolean,
  now: number = Date.now(),
): CopyStanding {
  if (missed.late?.some(({ version }) => version === copy.version)) return 'behind';
  const ended = endOf(missed);
  if (ended !== undefined && !isBegunAfter(copy, ended)) return 'behind';
  if (missed.unusedFor !== undefined)
    return copy.version === null || now - copy.modifiedMs > missed.unusedFor ? 'behind' : 'counts';
  if (isSuperseded(copy, missed)) return 'behind';
  return !isFirst && copy.version !== null && copy.changedMs <= missed.at ? 'lags' : 'counts';
}

/** Whether a session was begun after a moment: its file is newer, and was used since, as one is not that was copied to a new disk. */
export function isBegunAfter({ version, bornMs, modifiedMs }: FileCopy, moment: number): boolean {
  return version !== null && bornMs > moment && modifiedMs > moment;
}
