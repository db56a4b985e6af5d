/**
 * What the cache notes in the 16 bits that PHP's `Memcached` class leaves to applications: when a value is due to be made anew,
 * whether it was stored with tags, and whether it stands for "there is none". PHP does not look at them, and what PHP stores has
 * none.
 */

/** The note of one value. */
export interface RefreshMark {
  /** Whether the value stands for an answer "there is none". */
  readonly absent: boolean;
  /** Whether a note beside it names its tags, without which it cannot be believed. */
  readonly tagged: boolean;
  /** When it is to be made anew, or ends where it is not, in seconds since 1970; undefined for never. */
  readonly dueAt: number | undefined;
}

/** A mark, seen at some moment. */
export interface SeenMark {
  /** Whether the value stands for an answer "there is none". */
  readonly absent: boolean;
  /** Whether a note beside it names its tags. */
  readonly tagged: boolean;
  /** Seconds until it is due; 0 when it is, Infinity for never. */
  readonly dueIn: number;
  /** Whole seconds since it is due; 0 when it is not. */
  readonly dueFor: number;
}

interface MarkKind {
  readonly absent: boolean;
  readonly tagged: boolean;
  /** The first of its marks. */
  readonly base: number;
  /** Its bits count seconds; half of them are the future, the other half the past. */
  readonly bits: number;
}

/** By their first marks. Most values have no tags, and "there is none" is not kept for long. */
const KINDS: readonly [MarkKind, ...MarkKind[]] = [
  { absent: false, tagged: false, base: 0, bits: 15 },
  { absent: true, tagged: false, base: 0x8000, bits: 13 },
  { absent: true, tagged: true, base: 0xa000, bits: 13 },
  { absent: false, tagged: true, base: 0xc000, bits: 14 },
];

/**
 * The upper half of the flags for a mark. A time that is too far away counts as the last one that can be told: four and a half
 * hours away, half of that for a value with tags, half of that again for "there is none".
 */
export function refreshFlags({ absent, tagged, dueAt }: RefreshMark, nowSeconds: number): number {
  const { base, bits } = KINDS.find((kind) => kind.absent === absent && kind.tagged === tagged) ?? KINDS[0];
  const mask = 2 ** bits - 1;
  const time = dueAt === undefined ? 0 : Math.min(dueAt, nowSeconds + (mask >> 1) - 1) & mask;
  // 0 is no time: one second earlier does as well.
  return (base | (dueAt !== undefined && time === 0 ? mask : time)) * 0x1_0000;
}

/** The mark in an item's flags, seen at `nowSeconds`. */
export function readRefreshFlags(flags: number, nowSeconds: number): SeenMark {
  const mark = Math.floor(flags / 0x1_0000) & 0xffff;
  const { absent, tagged, base, bits } = KINDS.findLast((kind) => mark >= kind.base) ?? KINDS[0];
  const time = mark - base;
  if (time === 0) return { absent, tagged, dueIn: Number.POSITIVE_INFINITY, dueFor: 0 };
  const mask = 2 ** bits - 1;
  const second = Math.floor(nowSeconds);
  const age = (second - time) & mask;
  return age <= mask >> 1
    ? { absent, tagged, dueIn: 0, dueFor: age }
    : { absent, tagged, dueIn: mask + 1 - age - (nowSeconds - second), dueFor: 0 };
}
