/**
 * How copies of a session file are dated. Copies of one size and date pass for equal without being opened, and PHP, which knows
 * of its own copy only, may write as many bytes as there were, at any moment. So a date that copies have in common has to be one
 * that no later write can bring about.
 */

/** What a file's own facts tell of a copy. */
export interface SeenCopy {
  /** In bytes; -1 where there is none. */
  readonly size: number;
  /** Its date, in milliseconds since 1970. */
  readonly mtimeMs: number;
}

/** Linux dates files by the last tick of its clock, up to 10 ms ago (CONFIG_HZ=100): the next write may seem older than now. */
const CLOCK_LAG_MS = 20;
/**
 * A copy that was written so recently, by its date, may be written once more with the very same date: within the tick of its
 * file system's clock, which is a second or two on some of them, or on a server whose clock differs from ours.
 */
const SETTLED_AFTER_MS = 10_000;
/** Half a millisecond is in no other date of ours. */
const LAGS_BY_MS = 1.5;

/** The date of copies that are all written, or touched, at `now`. */
export function commonDate(now: number): number {
  return Math.floor(now) - CLOCK_LAG_MS;
}

/** The date of a copy that may differ from one of `date`: it is looked at again. */
export function laggingDate(date: number): number {
  return Math.floor(date) - LAGS_BY_MS;
}

/** The date of a copy that gets, at `now`, the bytes of another one of `date`. */
export function copiedDate(date: number, now: number): number {
  return now - date < SETTLED_AFTER_MS ? laggingDate(date) : date;
}

/** Whether two copies pass for equal. */
export function looksAlike(one: SeenCopy, other: SeenCopy): boolean {
  return one.size === other.size && sameDate(one.mtimeMs, other.mtimeMs);
}

/** Whether two dates of files, in milliseconds, are one: as near to each other as one can be set to the other. */
export function sameDate(one: number, other: number): boolean {
  return Math.abs(one - other) < 0.002;
}
