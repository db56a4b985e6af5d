/** Sets of transactions of both flavors: union, difference and size, to compare what servers have. */

import { mysqlGtidSet } from '../../topology/mysql-gtid-set.js';
import type { Flavor } from '../../topology/node-description.js';

/** First and last number of an interval. */
type Interval = readonly [bigint, bigint];

/**
 * The transactions of a server by their origin: on MySQL `uuid` or `uuid:tag`, on MariaDB `domain-server`, where a server counts
 * as having everything up to the last number of that origin.
 */
export type TransactionSet = ReadonlyMap<string, readonly Interval[]>;

/** Begins the names of members that are no transactions but how far a log was read. */
export const PLACE = 'log-';

/** Nothing. */
export const NO_TRANSACTIONS: TransactionSet = new Map();

/** What one set has and the other lacks. */
export interface MissingTransactions {
  /** How many. */
  readonly count: number;
  /** Which, in the notation of the flavor; '' when none. */
  readonly text: string;
}

/** Reads a set as the server writes it; undefined when it cannot be read. */
export function readTransactions(flavor: Flavor, text: string): TransactionSet | undefined {
  if (flavor === 'mysql') return mysqlGtidSet(text);
  const set = new Map<string, readonly Interval[]>();
  for (const member of text.split(',')) {
    if (member.trim() === '') continue;
    const match = /^\s*(\d{1,10})-(\d{1,10})-(\d{1,20})\s*$/.exec(member);
    if (match === null) return undefined;
    const origin = `${match[1]}-${match[2]}`;
    const last = BigInt(match[3] ?? '0');
    const known = set.get(origin)?.[0]?.[1] ?? 0n;
    set.set(origin, [[1n, last > known ? last : known]]);
  }
  return set;
}

/** Everything that one of both has. */
export function unionOf(a: TransactionSet, b: TransactionSet): TransactionSet {
  const result = new Map(a);
  for (const [origin, intervals] of b) result.set(origin, merged([...(a.get(origin) ?? []), ...intervals]));
  return result;
}

/** What `a` has and `b` lacks. */
export function differenceOf(a: TransactionSet, b: TransactionSet): TransactionSet {
  const result = new Map<string, readonly Interval[]>();
  for (const [origin, intervals] of a) {
    const left = cut(intervals, b.get(origin) ?? []);
    if (left.length > 0) result.set(origin, left);
  }
  return result;
}

/** Whether `whole` has all of `part`. */
export function isWithin(part: TransactionSet, whole: TransactionSet): boolean {
  return differenceOf(part, whole).size === 0;
}

/**
 * What `wanted` has and `have` lacks, counted. On MariaDB all servers of a domain number their transactions in one row, so that
 * the numbers of the domain are counted, not those of each server. Places in logs are no transactions.
 */
export function missingOf(flavor: Flavor, wanted: TransactionSet, have: TransactionSet): MissingTransactions {
  const missing = new Map([...differenceOf(wanted, have)].filter(([origin]) => !origin.startsWith(PLACE)));
  const text = textOf(flavor, missing);
  if (flavor === 'mysql') return { count: sizeOf(missing), text };
  let count = 0;
  const domains = new Set([...missing.keys()].map((origin) => origin.split('-')[0] ?? ''));
  for (const domain of domains) {
    const behind = lastOf(wanted, domain) - lastOf(have, domain);
    // Other histories with the same numbers: at least one transaction of each origin is missing.
    const origins = [...missing.keys()].filter((origin) => origin.startsWith(`${domain}-`)).length;
    count += Math.max(Number(behind), origins);
  }
  return { count, text };
}

/** The last number of `origin` in `set`; 0 when there is none. */
export function lastNumberOf(set: TransactionSet, origin: string): bigint {
  return set.get(origin)?.at(-1)?.[1] ?? 0n;
}

/** `set` for people, of MariaDB with the numbers of each member: `0-2-1..90`. */
export function textOf(flavor: Flavor, set: TransactionSet): string {
  const members = [...set].map(([origin, intervals]) => {
    if (flavor === 'mariadb') {
      const [first, last] = intervals[0] ?? [0n, 0n];
      return first === last ? `${origin}-${last}` : `${origin}-${first}..${last}`;
    }
    return `${origin}:${intervals.map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`)).join(':')}`;
  });
  return members.join(',');
}

/** `set` as the server writes it; of MariaDB each member stands for all up to its last number. */
export function notationOf(flavor: Flavor, set: TransactionSet): string {
  if (flavor === 'mysql') return textOf(flavor, set);
  return [...set.keys()].map((origin) => `${origin}-${lastNumberOf(set, origin)}`).join(',');
}

function sizeOf(set: TransactionSet): number {
  let size = 0n;
  for (const intervals of set.values()) for (const [first, last] of intervals) size += last - first + 1n;
  return Number(size);
}

function lastOf(set: TransactionSet, domain: string): bigint {
  let last = 0n;
  for (const [origin, intervals] of set) {
    const end = intervals.at(-1)?.[1] ?? 0n;
    if (origin.startsWith(`${domain}-`) && end > last) last = end;
  }
  return last;
}

function merged(intervals: readonly Interval[]): readonly Interval[] {
  const sorted = [...intervals].sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  const result: Interval[] = [];
  for (const [first, last] of sorted) {
    const previous = result.at(-1);
    if (previous === undefined || first > previous[1] + 1n) result.push([first, last]);
    else if (last > previous[1]) result[result.length - 1] = [previous[0], last];
  }
  return result;
}

function cut(intervals: readonly Interval[], holes: readonly Interval[]): readonly Interval[] {
  let left = [...intervals];
  for (const [from, to] of holes) {
    left = left.flatMap(([first, last]): Interval[] => {
      if (to < first || from > last) return [[first, last]];
      const parts: Interval[] = [];
      if (first < from) parts.push([first, from - 1n]);
      if (to < last) parts.push([to + 1n, last]);
      return parts;
    });
  }
  return left;
}
