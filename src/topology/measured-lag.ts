/**
 * Lag that this process measures itself, by what it saw of the primary: no server's clock is compared with another one's.
 * Every look at the primary is kept for a while; what a replica has now is compared with what the primary had then.
 */
import type { NodeId } from '../common/node-address.js';
import {
  appliedPosition,
  committedPosition,
  type GtidPosition,
  gtidReached,
  hasAppliedNews,
  hasReached,
  withoutCommon,
} from './gtid-position.js';
import { mariadbGtidText } from './mariadb-gtid-list.js';
import type { Lag, NodeDescription, ServerFacts } from './node-description.js';

/** A node that answers. */
type UpNode = Extract<NodeDescription, { state: 'up' }>;

/**
 * How the lag of replicas is known: `reported` by the servers themselves; `compared`, which is the same, but at least what the
 * positions show; by the `gtid` position against the primary's; by a `heartbeat` that is written on the primary.
 */
export type LagRule = 'reported' | 'compared' | 'gtid' | 'heartbeat';

/** One look at the primary. */
interface PrimaryLook {
  /** When the look began, monotonic milliseconds: everything that was committed before is in the position. */
  readonly at: number;
  /**
   * What it shows for the first time may be as old as this. After a time in which the primary could not be reached that is the
   * look before; else `at`, for that is within an interval.
   */
  readonly since: number;
  /** What it had. */
  readonly position: GtidPosition | undefined;
  /** The heartbeat that it had, by its own clock in milliseconds. */
  readonly beat: number | undefined;
}

/** The last looks at one primary, oldest first. */
export interface PrimaryRecord {
  /** The primary. */
  readonly node: NodeId;
  /** Its `server_id`, under which its heartbeat is kept. */
  readonly serverId: number;
  /** The first of all looks: what it had then may be missing elsewhere for good. */
  readonly first: PrimaryLook;
  /** The first look at something that a replica lacks still, by replica: it outlives the look itself. */
  readonly lacked: ReadonlyMap<NodeId, PrimaryLook>;
  /** The looks. */
  readonly looks: readonly PrimaryLook[];
  /** Leaves the record out of the JSON of a topology: it says nothing to people, and JSON has no numbers for GTIDs. */
  readonly toJSON: () => undefined;
}

const leftOut = (): undefined => undefined;

/** So many looks are kept: at one per second, about a minute. */
const LOOKS_LIMIT = 64;

/** A heartbeat that stands still for this long is not written any more, milliseconds. */
const DEAD_BEAT_MS = 5_000;

/** The record after one more look at the primary; `isReturn` when it could not be reached the last time. */
export function recordLook(
  record: PrimaryRecord | undefined,
  node: NodeId,
  facts: ServerFacts,
  at: number,
  isReturn: boolean,
): PrimaryRecord {
  const { serverId } = facts;
  const known = record?.node === node && record.serverId === serverId ? record : undefined;
  const position = committedPosition(facts);
  const look: PrimaryLook = {
    at,
    since: isReturn ? (known?.looks.at(-1)?.at ?? at) : at,
    position: position === undefined || position.text === '' ? undefined : position,
    beat: facts.heartbeats?.[serverId],
  };
  const before = known?.looks.slice(-(LOOKS_LIMIT - 1)) ?? [];
  const first = known?.first ?? look;
  const lacked = known?.lacked ?? new Map<NodeId, PrimaryLook>();
  return { node, serverId, first, lacked, looks: [...before, look], toJSON: leftOut };
}

/** The record with what each of `nodes` lacks by now. */
export function recordLacks(record: PrimaryRecord, nodes: readonly NodeDescription[]): PrimaryRecord {
  const lacked = new Map(record.lacked);
  for (const node of nodes) {
    if (node.state !== 'up' || node.lag === null) continue;
    const lack = lackOf(node, record);
    if (lack === undefined) lacked.delete(node.id);
    else if (lack !== 'unknown') lacked.set(node.id, lack);
  }
  return { ...record, lacked };
}

/** The lag of a replica by `rule`, which is not `reported`; its time is that up to which the replica has everything. */
export function measuredLag(replica: UpNode, record: PrimaryRecord | undefined, rule: LagRule): Lag {
  const unknown: Lag = { ms: null, at: replica.seenAt };
  if (rule === 'compared') return atLeastCompared(replica, record);
  if (record === undefined) return unknown;
  return (rule === 'gtid' ? byGtid(replica, record) : byHeartbeat(replica, record)) ?? unknown;
}

/** The replica is as fresh as the newest look at the primary whose position it has. */
function byGtid(replica: UpNode, record: PrimaryRecord): Lag | undefined {
  const { facts } = replica;
  const look = record.looks.findLast(({ position }) => position !== undefined && hasReached(facts, position));
  return look === undefined ? undefined : { ms: 0, at: look.at };
}

/**
 * What the replica reports, but at least the age of what it lacked although the primary was seen to have it: a receiving
 * thread whose connection is cut in silence goes on to report 0, and what a member of a group has not heard of is in no queue.
 * Unknown when nobody can tell how old that is.
 */
function atLeastCompared(replica: UpNode, record: PrimaryRecord | undefined): Lag {
  const { seenAt } = replica;
  const told = replica.lag ?? { ms: null, at: seenAt };
  if (record === undefined) return told;
  const isMember = replica.facts.group?.writes === 'elsewhere';
  const reported = isMember ? fresherOf(told, byGtid(replica, record)) : told;
  if (reported.ms === null) return reported;
  const lack = lackOf(replica, record);
  if (lack === 'unknown') return { ms: null, at: seenAt };
  const since = Math.min(lack?.since ?? seenAt, uncomparedSince(replica, record));
  return since < reported.at - reported.ms ? { ms: seenAt - since, at: seenAt } : reported;
}

/** A member that takes writes of one primary all the time has a queue nearly always, and yet what that one had a moment ago. */
function fresherOf(reported: Lag, seen: Lag | undefined): Lag {
  if (seen === undefined || seen.ms === null) return reported;
  return reported.ms === null || seen.at - seen.ms > reported.at - reported.ms ? seen : reported;
}

/**
 * Up to when a replica is known to have kept up, where it was last looked at before the primary came back: what it reports of
 * itself, perhaps just connected again, cannot be compared with anything newer yet. `Infinity` where it can.
 */
function uncomparedSince({ seenAt, heardAt, upstream }: UpNode, { node, looks }: PrimaryRecord): number {
  const back = looks.find(({ at, since }) => since < at && at > seenAt);
  if (back === undefined) return Number.POSITIVE_INFINITY;
  return upstream?.[0] === node ? Math.max(back.since, heardAt ?? back.since) : back.since;
}

/**
 * The first look at something that the replica lacks; undefined when it lacks nothing for certain. Unknown while it lacks what
 * the primary had at the very first look and was not seen yet to get anything: that may be of any age. Members of Galera, each
 * with GTIDs of its own, are not compared here.
 */
function lackOf(replica: UpNode, record: PrimaryRecord): PrimaryLook | 'unknown' | undefined {
  const { facts, seenAt } = replica;
  if (facts.group?.kind === 'galera') return undefined;
  const looks = record.looks.filter(({ at }) => at <= seenAt);
  const base = record.first.position;
  const newest = looks.length === 0 ? base : looks.at(-1)?.position;
  if (newest === undefined || hasReached(facts, newest)) return undefined;
  if (base !== undefined && !isSeenToLive(replica, record, newest, base)) {
    if (certainlyLacks(facts, withoutForeign(facts, base))) return 'unknown';
  }
  const isLacked = ({ position }: PrimaryLook): boolean =>
    position !== undefined && certainlyLacks(facts, expectedOf(facts, position, base));
  const remembered = record.lacked.get(replica.id);
  return remembered !== undefined && isLacked(remembered) ? remembered : looks.find(isLacked);
}

/** Whether the replica was seen to get anything from the primary since that was first looked at. */
function isSeenToLive(
  { facts, heardAt, upstream }: UpNode,
  { node, first }: PrimaryRecord,
  newest: GtidPosition,
  base: GtidPosition,
): boolean {
  // What a replica further down hears comes from the server between, which may be cut off itself.
  const hasHeard = heardAt !== undefined && heardAt > first.at && upstream?.[0] === node;
  return hasHeard || hasAppliedNews(facts, newest, base);
}

/** What of `wanted` the replica must get, when the primary had `base` at the first look. */
function expectedOf(facts: ServerFacts, wanted: GtidPosition, base: GtidPosition | undefined): GtidPosition {
  if (base === undefined) return wanted;
  if (facts.channels.length > 0 && facts.channels.every(({ autoPosition }) => autoPosition === true))
    return wanted;
  const news = withoutCommon(wanted, base);
  // A position of MariaDB does not tell what is old in a domain: only whole domains may be missing for good.
  return wanted.flavor === 'mysql' ? news : withoutForeign(facts, wanted, news);
}

/** `wanted` without the domains of MariaDB that the replica has nothing of, although it has others, but with all of `news`. */
function withoutForeign(facts: ServerFacts, wanted: GtidPosition, news?: GtidPosition): GtidPosition {
  const applied = appliedPosition(facts);
  if (wanted.flavor !== 'mariadb' || applied?.flavor !== 'mariadb' || applied.gtids.length === 0)
    return wanted;
  const kept = news?.flavor === 'mariadb' ? news.gtids : [];
  const gtids = wanted.gtids.filter(
    (gtid) => kept.includes(gtid) || applied.gtids.some(({ domain }) => domain === gtid.domain),
  );
  return { ...wanted, text: mariadbGtidText(gtids), gtids };
}

/** Whether a replica certainly lacks something of `wanted`. */
function certainlyLacks(facts: ServerFacts, wanted: GtidPosition): boolean {
  if (hasReached(facts, wanted)) return false;
  const isLogged = facts.flavor === 'mysql' || (facts.gtidState ?? '') !== '';
  return isLogged || !gtidReached(facts.flavor, facts.gtidApplied ?? '', wanted.text);
}

/** The heartbeat that the replica has was written on the primary at a time that we know, since we know the primary's clock. */
function byHeartbeat(replica: UpNode, { serverId, looks }: PrimaryRecord): Lag | undefined {
  const beat = replica.facts.heartbeats?.[serverId];
  const newest = looks.at(-1);
  if (beat === undefined || newest?.beat === undefined) return undefined;
  // Until it was seen to change, nobody knows whether anybody writes it.
  if (looks.every((look) => look.beat === newest.beat)) return undefined;
  // The look that came soonest after its beat shows best how the primary's clock differs from ours.
  let offset = Number.POSITIVE_INFINITY;
  for (const look of looks) if (look.beat !== undefined) offset = Math.min(offset, look.at - look.beat);
  if (newest.at - (newest.beat + offset) > DEAD_BEAT_MS) return undefined;
  const writtenAt = beat + offset;
  return { ms: Math.max(0, replica.seenAt - writtenAt), at: replica.seenAt };
}
