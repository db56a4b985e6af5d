/** GTID positions of both flavors: what a server has, compared with what another one has or with a token of a client. */
import type { Flavor, ServerFacts } from './node-description.js';

/** First and last transaction number of an interval. */
type Interval = readonly [bigint, bigint];

/**
 * Whether a server at `position` has applied `token`. On MariaDB the sequence number of each domain decides, as it does for
 * `MASTER_GTID_WAIT`; on MySQL the token's set must be part of the position. False when either cannot be read.
 */
export function gtidReached(flavor: Flavor, position: string, token: string): boolean {
  if (flavor === 'mysql') return isSubset(mysqlGtidSet(token), mysqlGtidSet(position));
  const want = mariadbGtids(token);
  const have = mariadbGtids(position);
  if (want === undefined || have === undefined) return false;
  return want.every((w) => have.some((h) => h.domain === w.domain && h.sequence >= w.sequence));
}

/**
 * Whether it is proven that `newer` has every transaction that `older` has. Never true on a guess: on MariaDB without
 * `gtidState` only equal servers per domain prove it, and without GTIDs nothing does.
 */
export function gtidsContained(older: ServerFacts, newer: ServerFacts): boolean {
  if (older.flavor !== newer.flavor || older.gtid === '' || newer.gtid === '') return false;
  if (older.flavor === 'mysql') return isSubset(mysqlGtidSet(older.gtid), mysqlGtidSet(newer.gtid));
  const want = mariadbGtids(older.gtidState ?? older.gtid);
  const have = mariadbGtids(newer.gtidState ?? newer.gtid);
  if (want === undefined || have === undefined) return false;
  return want.every((w) =>
    have.some((h) => h.domain === w.domain && h.server === w.server && h.sequence >= w.sequence),
  );
}

/** A MySQL GTID set by source (`uuid` or `uuid:tag`), intervals sorted and merged; undefined when it cannot be read. */
export function mysqlGtidSet(text: string): ReadonlyMap<string, readonly Interval[]> | undefined {
  const sets = new Map<string, Interval[]>();
  for (const member of text.split(',')) {
    const parts = member.trim().toLowerCase().split(':');
    const uuid = parts[0] ?? '';
    if (uuid === '' && parts.length === 1) continue;
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid) || parts.length === 1) return undefined;
    let source = uuid;
    for (const part of parts.slice(1)) {
      const numbers = /^(\d{1,19})(?:-(\d{1,19}))?$/.exec(part);
      if (numbers?.[1] !== undefined) {
        const first = BigInt(numbers[1]);
        const last = BigInt(numbers[2] ?? numbers[1]);
        if (first < 1n || last < first) return undefined;
        const intervals = sets.get(source);
        if (intervals === undefined) sets.set(source, [[first, last]]);
        else intervals.push([first, last]);
      } else if (/^[a-z_][a-z0-9_]{0,31}$/.test(part)) source = `${uuid}:${part}`;
      else return undefined;
    }
  }
  for (const [source, intervals] of sets) sets.set(source, merged(intervals));
  return sets;
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

function isSubset(
  part: ReadonlyMap<string, readonly Interval[]> | undefined,
  whole: ReadonlyMap<string, readonly Interval[]> | undefined,
): boolean {
  if (part === undefined || whole === undefined) return false;
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

/** One MariaDB GTID. */
interface MariadbGtid {
  readonly domain: string;
  readonly server: string;
  readonly sequence: bigint;
}

function mariadbGtids(text: string): readonly MariadbGtid[] | undefined {
  const gtids: MariadbGtid[] = [];
  for (const member of text.split(',')) {
    const match = /^\s*(\d{1,10})-(\d{1,10})-(\d{1,20})\s*$/.exec(member);
    if (match !== null) {
      gtids.push({ domain: match[1] ?? '', server: match[2] ?? '', sequence: BigInt(match[3] ?? '0') });
    } else if (member.trim() !== '') return undefined;
  }
  return gtids;
}
