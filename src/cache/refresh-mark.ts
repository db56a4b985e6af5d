/**
 * What the cache notes in the 16 bits that PHP's `Memcached` class leaves to applications: when a value is due to be made anew,
 * and whether it stands for "there is none". PHP does not look at them, and what PHP stores has none.
 */

/** The note of one value. */
export interface RefreshMark {
  /** Whether the value stands for an answer "there is none". */
  readonly absent: boolean;
  /** When it is to be made anew, or ends where it is not, in seconds since 1970; undefined for never. */
  readonly dueAt: number | undefined;
}

const ABSENT = 0x8000;
/** 15 bits count seconds; half of them are the future, the other half the past. */
const TIME_MASK = 0x7fff;
const HORIZON = 0x3fff;

/** The upper half of the flags for a mark; times farther away than four and a half hours count as four and a half. */
export function refreshFlags({ absent, dueAt }: RefreshMark, nowSeconds: number): number {
  const bits = dueAt === undefined ? 0 : Math.min(dueAt, nowSeconds + HORIZON - 1) & TIME_MASK;
  // 0 is no time: one second earlier does as well.
  const time = dueAt !== undefined && bits === 0 ? TIME_MASK : bits;
  return ((absent ? ABSENT : 0) | time) * 0x1_0000;
}

/** The mark in an item's flags; `dueIn` is the seconds from `nowSeconds` until it is due, 0 when it is, Infinity for never. */
export function readRefreshFlags(
  flags: number,
  nowSeconds: number,
): { readonly absent: boolean; readonly dueIn: number } {
  const bits = Math.floor(flags / 0x1_0000) & 0xffff;
  const absent = (bits & ABSENT) !== 0;
  const time = bits & TIME_MASK;
  if (time === 0) return { absent, dueIn: Number.POSITIVE_INFINITY };
  const second = Math.floor(nowSeconds);
  const age = (second - time) & TIME_MASK;
  return { absent, dueIn: age <= HORIZON ? 0 : TIME_MASK + 1 - age - (nowSeconds - second) };
}
