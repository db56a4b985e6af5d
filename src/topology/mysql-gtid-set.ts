/** GTID sets of MySQL: the transactions of every source as intervals, read, united, compared and written. */

/** First and last transaction number of an interval. */
type Interval = readonly [bigint, bigint];

/** Intervals by source (`uuid` or `uuid:tag`), sorted and merged. */
export type MysqlGtidSet = ReadonlyMap<string, readonly Interval[]>;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const TAG = /^[a-z_][a-z0-9_]{0,31}$/;
const NUMBERS = /^(\d{1,19})(?:-(\d{1,19}))?$/;

/** The last number that a server gives to a transaction, or lets anybody wait for. */
const LARGEST_NUMBER = 2n ** 63n - 2n;

/**
 * Reads a set; undefined when it cannot be read. Stricter than the server, which takes `uuid` and `uuid:5-1` for empty sets:
 * a wait for an empty set is over at once and proves nothing.
 */
export function mysqlGtidSet(text: string): MysqlGtidSet | undefined {
  const sets = new Map<string, Interval[]>();
  for (const member of text.split(',')) {
    const parts = member.trim().toLowerCase().split(':');
    const uuid = parts[0] ?? '';
    if (uuid === '' && parts.length === 1) continue;
    if (!UUID.test(uuid) || parts.length === 1) return undefined;
    let source = uuid;
    for (const part of parts.slice(1)) {
      const numbers = NUMBERS.exec(part);
      if (numbers?.[1] !== undefined) {
        const first = BigInt(numbers[1]);
        const last = BigInt(numbers[2] ?? numbers[1]);
        if (first < 1n || last < first || last > LARGEST_NUMBER) return undefined;
        const intervals = sets.get(source);
        if (intervals === undefined) sets.set(source, [[first, last]]);
        else intervals.push([first, last]);
      } else if (TAG.test(part)) source = `${uuid}:${part}`;
      else return undefined;
    }
  }
  for (const [source, intervals] of sets) sets.set(source, merged(intervals));
  return sets;
}

/** The transactions that are in either set. */
export function unitedSets(one: MysqlGtidSet, two: MysqlGtidSet): MysqlGtidSet {
  const united = new Map(one);
  for (const [source, intervals] of two) {
    const present = united.get(source);
    united.set(source, present === undefined ? intervals : merged([...present, ...intervals]));
  }
  return united;
}

/** The transactions of `set` that are not in `taken`. */
export function differenceOf(set: MysqlGtidSet, taken: MysqlGtidSet): MysqlGtidSet {
  const left = new Map<string, Interval[]>();
  for (const [source, intervals] of set) {
    const holes = taken.get(source) ?? [];
    const rest: Interval[] = [];
    let at = 0;
    for (const [first, last] of intervals) {
      let from = first;
      while (at < holes.length && (holes[at]?.[1] ?? 0n) < from) at += 1;
      for (let index = at; index < holes.length && from <= last; index += 1) {
        const [holeFirst, holeLast] = holes[index] ?? [last + 1n, last];
        if (holeFirst > last) break;
        if (holeFirst > from) rest.push([from, holeFirst - 1n]);
        from = holeLast + 1n;
      }
      if (from <= last) rest.push([from, last]);
    }
    if (rest.length > 0) left.set(source, rest);
  }
  return left;
}

/** Whether every transaction of `part` is in `whole`. */
export function isSubset(part: MysqlGtidSet, whole: MysqlGtidSet): boolean {
  for (const [source, intervals] of part) {
    const have = whole.get(source);
    if (have === undefined) return false;
    let at = 0;
    for (const [first, last] of intervals) {
      while (at < have.length && (have[at]?.[1] ?? 0n) < first) at += 1;
      const cover = have[at];
      if (cover === undefined || cover[0] > first || cover[1] < last) return false;
    }
  }
  return true;
}

/** The set as the server writes it, without blanks. */
export function mysqlGtidText(set: MysqlGtidSet): string {
  return [...set]
    .map(([source, intervals]) => {
      const numbers = intervals.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
      return `${source}:${numbers.join(':')}`;
    })
    .join(',');
}

function merged(intervals: Interval[]): Interval[] {
  intervals.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  const result: Interval[] = [];
  for (const [first, last] of intervals) {
    const previous = result.at(-1);
    if (previous === undefined || first > previous[1] + 1n) result.push([first, last]);
    else if (last > previous[1]) result[result.length - 1] = [previous[0], last];
  }
  return result;
}
