/**
 * Lag that this process measures itself, by what it saw of the primary: no server's clock is compared with another one's.
 * Every look at the primary is kept for a while; what a replica has now is compared with what the primary had then.
 */
import type { NodeId } from '../common/node-address.js';
import {
  committedPosition,
  type GtidPosition,
  gtidReached,
  hasReached,
  withoutCommon,
} from './gtid-position.js';
import type { Lag, NodeDescription, ServerFacts } from './node-description.js';

/**
 * How the lag of replicas is known: `reported` by the servers themselves; `compared`, which is the same, but at least what the
 * positions show; by the `gtid` position against the primary's; by a `heartbeat` that is written on the primary.
 */
export type LagRule = 'reported' | 'compared' | 'gtid' | 'heartbeat';

/** One look at the primary. */
interface PrimaryLook {
  /** When the look began, monotonic milliseconds: everything that was committed before is in the position. */
  readonly at: number;
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

/** The record after one more look at the primary. */
export function recordLook(
  record: PrimaryRecord | undefined,
  node: NodeId,
  facts: ServerFacts,
  at: number,
): PrimaryRecord {
  const { serverId } = facts;
  const known = record?.node === node && record.serverId === serverId ? record : undefined;
  const position = committedPosition(facts);
  const look: PrimaryLook = {
    at,
    position: position === undefined || position.text === '' ? undefined : position,
    beat: facts.heartbeats?.[serverId],
  };
  const before = known?.looks.slice(-(LOOKS_LIMIT - 1)) ?? [];
  return { node, serverId, first: known?.first ?? look, looks: [...before, look], toJSON: leftOut };
}

/** The lag of a replica by `rule`, which is not `reported`; its time is that up to which the replica has everything. */
export function measuredLag(
  replica: Extract<NodeDescription, { state: 'up' }>,
  record: PrimaryRecord | undefined,
  rule: LagRule,
): Lag {
  const unknown: Lag = { ms: null, at: replica.seenAt };
  if (rule === 'compared') return atLeastCompared(replica, record);
  if (record === undefined) return unknown;
  return (rule === 'gtid' ? byGtid(replica, record) : byHeartbeat(replica, record)) ?? unknown;
}

/** The replica is as fresh as the newest look at the primary whose position it has. */
function byGtid(replica: Extract<NodeDescription, { state: 'up' }>, record: PrimaryRecord): Lag | undefined {
  const { facts } = replica;
  const look = record.looks.findLast(({ position }) => position !== undefined && hasReached(facts, position));
  return look === undefined ? undefined : { ms: 0, at: look.at };
}

/**
 * What the replica reports, but at least the age of what it lacked although the primary was seen to have it: a receiving
 * thread whose connection is cut in silence goes on to report 0.
 */
function atLeastCompared(
  replica: Extract<NodeDescription, { state: 'up' }>,
  record: PrimaryRecord | undefined,
): Lag {
  const reported = replica.lag ?? { ms: null, at: replica.seenAt };
  const { facts, seenAt } = replica;
  if (record === undefined || reported.ms === null || facts.group !== undefined) return reported;
  const looks = record.looks.filter(({ at }) => at <= seenAt);
  const newest = looks.at(-1)?.position;
  if (newest === undefined || hasReached(facts, newest)) return reported;
  const lacked = looks.find(
    ({ position }) => position !== undefined && lacksNews(facts, position, record.first.position),
  );
  const isOlder = lacked !== undefined && lacked.at < reported.at - reported.ms;
  return isOlder ? { ms: seenAt - lacked.at, at: seenAt } : reported;
}

/** Whether a replica certainly lacks something of `wanted` that the primary did not have at `first` yet. */
function lacksNews(facts: ServerFacts, wanted: GtidPosition, first: GtidPosition | undefined): boolean {
  const news = first === undefined ? wanted : withoutCommon(wanted, first);
  if (hasReached(facts, news)) return false;
  const isLogged = facts.flavor === 'mysql' || (facts.gtidState ?? '') !== '';
  return isLogged || !gtidReached(facts.flavor, facts.gtidApplied ?? '', news.text);
}

/** The heartbeat that the replica has was written on the primary at a time that we know, since we know the primary's clock. */
function byHeartbeat(
  replica: Extract<NodeDescription, { state: 'up' }>,
  { serverId, looks }: PrimaryRecord,
): Lag | undefined {
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
