/** GTID positions of both flavors: what a server has, compared with what another one has or with a token of a client. */
import {
  hasApplied,
  highestPerDomain,
  type MariadbGtid,
  mariadbGtids,
  mariadbGtidText,
} from './mariadb-gtid-list.js';
import { isSubset, type MysqlGtidSet, mysqlGtidSet, mysqlGtidText, unitedSets } from './mysql-gtid-set.js';
import type { Flavor, ServerFacts } from './node-description.js';

/** A set of transactions: the position of a server, or what a client wants a server to have. Immutable. */
export type GtidPosition =
  | { readonly flavor: 'mysql'; readonly text: string; readonly set: MysqlGtidSet }
  | { readonly flavor: 'mariadb'; readonly text: string; readonly gtids: readonly MariadbGtid[] };

/** Reads a position; undefined when it cannot be read. Its `text` is written anew, so it is safe to put into SQL. */
export function readGtidPosition(flavor: Flavor, text: string): GtidPosition | undefined {
  if (flavor === 'mysql') {
    const set = mysqlGtidSet(text);
    return set === undefined ? undefined : { flavor, text: mysqlGtidText(set), set };
  }
  const list = mariadbGtids(text);
  if (list === undefined) return undefined;
  const gtids = highestPerDomain(list);
  return { flavor, text: mariadbGtidText(gtids), gtids };
}

/** Reads a position of either flavor: their spellings have nothing in common. Undefined when it is neither, or empty. */
export function readAnyGtidPosition(text: string): GtidPosition | undefined {
  const found = readGtidPosition('mariadb', text) ?? readGtidPosition('mysql', text);
  return found === undefined || found.text === '' ? undefined : found;
}

/**
 * The transactions of both: the union on MySQL, where a later GTID does not imply an earlier one; the highest per domain on
 * MariaDB, where it does. Undefined for positions of different flavors.
 */
export function unitedPositions(one: GtidPosition, two: GtidPosition): GtidPosition | undefined {
  if (one === two) return one;
  if (one.flavor === 'mysql' && two.flavor === 'mysql') {
    const set = unitedSets(one.set, two.set);
    return { flavor: 'mysql', text: mysqlGtidText(set), set };
  }
  if (one.flavor === 'mariadb' && two.flavor === 'mariadb') {
    const gtids = highestPerDomain([...one.gtids, ...two.gtids]);
    return { flavor: 'mariadb', text: mariadbGtidText(gtids), gtids };
  }
  return undefined;
}

/** Whether a server at `position` has applied all of `wanted`; false for positions of different flavors. */
export function positionReached(position: GtidPosition, wanted: GtidPosition): boolean {
  if (position.flavor === 'mysql') return wanted.flavor === 'mysql' && isSubset(wanted.set, position.set);
  return wanted.flavor === 'mariadb' && hasApplied(position.gtids, wanted.gtids);
}

/** {@link positionReached} for positions as text; false when either cannot be read. */
export function gtidReached(flavor: Flavor, position: string, token: string): boolean {
  const [have, want] = [readGtidPosition(flavor, position), readGtidPosition(flavor, token)];
  return have !== undefined && want !== undefined && positionReached(have, want);
}

const APPLIED = new WeakMap<ServerFacts, GtidPosition | null>();

/**
 * What the server had applied as a replica when it was looked at; undefined when that is not known. On MariaDB only
 * `gtid_slave_pos` counts: `gtid_current_pos` also moves with what a replica writes itself.
 */
export function appliedPosition(facts: ServerFacts): GtidPosition | undefined {
  let position = APPLIED.get(facts);
  if (position === undefined) {
    const text = facts.flavor === 'mysql' ? facts.gtid : facts.gtidApplied;
    position = (text === undefined ? undefined : readGtidPosition(facts.flavor, text)) ?? null;
    APPLIED.set(facts, position);
  }
  return position ?? undefined;
}

/**
 * Whether it is proven that `newer` has every transaction that `older` has. Never true on a guess: on MariaDB without
 * `gtidState` only equal servers per domain prove it, and without GTIDs nothing does.
 */
export function gtidsContained(older: ServerFacts, newer: ServerFacts): boolean {
  if (older.flavor !== newer.flavor || older.gtid === '' || newer.gtid === '') return false;
  if (older.flavor === 'mysql') return gtidReached('mysql', newer.gtid, older.gtid);
  const want = mariadbGtids(older.gtidState ?? older.gtid);
  const have = mariadbGtids(newer.gtidState ?? newer.gtid);
  if (want === undefined || have === undefined) return false;
  return want.every((w) =>
    have.some((h) => h.domain === w.domain && h.server === w.server && h.sequence >= w.sequence),
  );
}
