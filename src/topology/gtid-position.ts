/** GTID positions of both flavors: what a server has, compared with what another one has or with a token of a client. */
import {
  hasApplied,
  hasProvenly,
  highestPerDomain,
  type MariadbGtid,
  mariadbGtids,
  mariadbGtidText,
} from './mariadb-gtid-list.js';
import {
  differenceOf,
  isSubset,
  type MysqlGtidSet,
  mysqlGtidSet,
  mysqlGtidText,
  unitedSets,
} from './mysql-gtid-set.js';
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
  if (one.flavor === 'mysql' && two.flavor === 'mysql') return mysqlPosition(unitedSets(one.set, two.set));
  if (one.flavor === 'mariadb' && two.flavor === 'mariadb') {
    const gtids = highestPerDomain([...one.gtids, ...two.gtids]);
    return { flavor: 'mariadb', text: mariadbGtidText(gtids), gtids };
  }
  return undefined;
}

/** A position whose text, which may be long and which few ask for, is made when it is asked for. */
function mysqlPosition(set: MysqlGtidSet): GtidPosition {
  let text: string | undefined;
  return {
    flavor: 'mysql',
    set,
    get text() {
      text ??= mysqlGtidText(set);
      return text;
    },
  };
}

/** What of `position` is not in `base`; on MariaDB, the domains that have moved since. */
export function withoutCommon(position: GtidPosition, base: GtidPosition): GtidPosition {
  if (position.flavor === 'mysql' && base.flavor === 'mysql') {
    const set = differenceOf(position.set, base.set);
    return { flavor: 'mysql', text: mysqlGtidText(set), set };
  }
  if (position.flavor === 'mariadb' && base.flavor === 'mariadb') {
    const gtids = position.gtids.filter(
      (gtid) => !base.gtids.some((old) => mariadbGtidText([old]) === mariadbGtidText([gtid])),
    );
    return { flavor: 'mariadb', text: mariadbGtidText(gtids), gtids };
  }
  return position;
}

/**
 * Whether it is proven that a server at `position` has applied all of `wanted`; false for positions of different flavors.
 * `log` is its `gtid_binlog_state`, where it has one, `own` its `server_id`.
 */
export function positionReached(
  position: GtidPosition,
  wanted: GtidPosition,
  log: readonly MariadbGtid[] = [],
  own?: string,
): boolean {
  if (position.flavor === 'mysql') return wanted.flavor === 'mysql' && isSubset(wanted.set, position.set);
  return wanted.flavor === 'mariadb' && hasProvenly(position.gtids, log, wanted.gtids, own);
}

/** Whether a server at `position` has applied `token`, as far as the last GTIDs tell; false when either cannot be read. */
export function gtidReached(flavor: Flavor, position: string, token: string): boolean {
  const [have, want] = [readGtidPosition(flavor, position), readGtidPosition(flavor, token)];
  if (have?.flavor === 'mariadb' && want?.flavor === 'mariadb') return hasApplied(have.gtids, want.gtids);
  return have !== undefined && want !== undefined && positionReached(have, want);
}

const NO_LOG: readonly MariadbGtid[] = [];
const LOGGED = new WeakMap<ServerFacts, readonly MariadbGtid[]>();
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

/** Whether it is proven that a replica had applied `wanted` when it was looked at. */
export function hasReached(facts: ServerFacts, wanted: GtidPosition): boolean {
  const applied = appliedPosition(facts);
  return (
    applied !== undefined && positionReached(applied, wanted, loggedGtids(facts), String(facts.serverId))
  );
}

/** Whether a replica had applied something of what the primary committed between `base` and `newest`, or later. */
export function hasAppliedNews(facts: ServerFacts, newest: GtidPosition, base: GtidPosition): boolean {
  const applied = appliedPosition(facts);
  if (applied?.flavor === 'mariadb' && base.flavor === 'mariadb') {
    const isNewer = (have: MariadbGtid, old: MariadbGtid): boolean =>
      have.domain === old.domain && have.server === old.server && have.sequence > old.sequence;
    return applied.gtids.some((have) => base.gtids.some((old) => isNewer(have, old)));
  }
  if (applied?.flavor !== 'mysql') return false;
  const news = withoutCommon(newest, base);
  return withoutCommon(news, applied).text !== news.text;
}

/** Whether a primary had `wanted` when it was looked at, or wrote it itself since: it has everything of its own. */
export function hasOrWrote(facts: ServerFacts, wanted: GtidPosition): boolean {
  const others = writtenByOthers(facts, wanted);
  if (others === undefined) return true;
  const own = ownPosition(facts);
  return (
    own !== undefined && positionReached(primaryPosition(own, loggedGtids(facts)), others, loggedGtids(facts))
  );
}

/**
 * The position of a primary for a proof: the log counts for domains that its position does not name. What was replicated there
 * before it became the primary is forgotten when its `gtid_slave_pos` is emptied, and no thread applies anything there.
 */
export function primaryPosition(position: GtidPosition, log: readonly MariadbGtid[]): GtidPosition {
  if (position.flavor === 'mysql') return position;
  const others = log.filter(({ domain }) => !position.gtids.some((gtid) => gtid.domain === domain));
  return others.length === 0 ? position : { ...position, gtids: [...position.gtids, ...others] };
}

/** What the server has in its binary log (`gtid_binlog_state`); nothing on MySQL, and where it cannot be read. */
export function loggedGtids(facts: ServerFacts): readonly MariadbGtid[] {
  if (facts.gtidState === undefined) return NO_LOG;
  let log = LOGGED.get(facts);
  if (log === undefined) {
    log = mariadbGtids(facts.gtidState) ?? NO_LOG;
    LOGGED.set(facts, log);
  }
  return log;
}

/** What of `wanted` another server wrote; undefined when the server wrote all of it. */
function writtenByOthers(facts: ServerFacts, wanted: GtidPosition): GtidPosition | undefined {
  if (wanted.flavor !== facts.flavor) return wanted;
  if (wanted.flavor === 'mariadb') {
    const gtids = wanted.gtids.filter(({ server }) => server !== String(facts.serverId));
    return gtids.length === 0 ? undefined : { ...wanted, gtids };
  }
  const others = [...wanted.set].filter(([source]) => source.slice(0, 36) !== facts.serverUuid);
  return others.length === 0 ? undefined : mysqlPosition(new Map(others));
}

/**
 * What the server had committed when it was looked at, in numbers that other servers share; undefined when there are none. The
 * members of a Galera cluster share numbers in one domain only, and only if they are told to.
 */
export function committedPosition(facts: ServerFacts): GtidPosition | undefined {
  if (facts.group?.kind !== 'galera') return readGtidPosition(facts.flavor, facts.gtid);
  const { gtidDomain } = facts.group;
  const log = gtidDomain === undefined ? undefined : mariadbGtids(facts.gtidState ?? '');
  if (log === undefined) return undefined;
  const gtids = highestPerDomain(log.filter(({ domain }) => domain === String(gtidDomain)));
  return { flavor: 'mariadb', text: mariadbGtidText(gtids), gtids };
}

const OWN = new WeakMap<ServerFacts, GtidPosition | null>();

function ownPosition(facts: ServerFacts): GtidPosition | undefined {
  let position = OWN.get(facts);
  if (position === undefined) {
    position = readGtidPosition(facts.flavor, facts.gtid) ?? null;
    OWN.set(facts, position);
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
