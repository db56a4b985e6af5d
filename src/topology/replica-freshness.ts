/** Whether a replica may serve a read now, and if not, why. */

import { channelError } from './apply-error.js';
import { isSoundMember } from './group-roles.js';
import { gtidsContained } from './gtid-position.js';
import {
  freshestLeft,
  hasOtherHead,
  lostPrimaryOf,
  stalenessWithout,
  whyNotBestLeft,
} from './lost-primary.js';
import { effectiveLagMs, type NodeDescription, type ReplicationChannel } from './node-description.js';
import type { TopologyDescription } from './topology-description.js';

/** A node that answers. */
type UpNode = Extract<NodeDescription, { state: 'up' }>;

/** How far behind a replica may be that serves a read. */
export interface LagLimits {
  /** The age of the measurement included, in milliseconds; `Infinity` asks nothing of it. */
  readonly maxLagMs: number;
  /**
   * The same while no primary can be reached, unless `maxLagMs` is more. `Infinity` also takes an unknown lag, where no replica
   * is known to be fresher. Default: `maxLagMs`.
   */
  readonly maxLagWithoutPrimaryMs?: number | undefined;
}

/**
 * How far `replica` may be behind at `now`, in milliseconds; null is unknown. While the primary that it follows does not answer
 * and no other node takes writes, this grows from the last sign of life of that primary.
 */
export function stalenessMs(
  replica: NodeDescription,
  topology: TopologyDescription,
  now: number,
): number | null {
  const lost = lostPrimaryOf(replica, topology);
  if (lost === undefined || replica.state !== 'up') return effectiveLagMs(replica, now);
  return stalenessWithout(lost, replica, now);
}

/** How far `replica` may be behind now, in milliseconds, by `limits`. */
export function allowedLagMs(
  replica: NodeDescription,
  topology: TopologyDescription,
  { maxLagMs, maxLagWithoutPrimaryMs = maxLagMs }: LagLimits,
): number {
  if (maxLagWithoutPrimaryMs <= maxLagMs || lostPrimaryOf(replica, topology) === undefined) return maxLagMs;
  return hasOtherHead(topology) ? maxLagMs : maxLagWithoutPrimaryMs;
}

/** Why `replica` may not serve a read within `limits`; undefined when it may. */
export function unfitness(
  replica: UpNode,
  topology: TopologyDescription,
  limits: LagLimits,
  now: number,
): string | undefined {
  const { maxLagMs } = limits;
  if (maxLagMs === Number.POSITIVE_INFINITY) return undefined;
  const { writer } = topology;
  const { facts } = replica;
  if (!facts.replicationVisible) return 'its replication status cannot be read';
  const hasMembers = (ids: readonly string[]): boolean =>
    topology.nodes.some((node) => ids.includes(node.id) && isSoundMember(node));
  const follows = (primary: string): boolean => {
    // All members of a group have the same data, and so has who follows one of them.
    if (isSoundMember(replica) || replica.upstream === undefined) return true;
    return replica.upstream.includes(primary) || hasMembers(replica.upstream);
  };
  if (writer.kind === 'primary' && !follows(writer.node)) {
    const channel = facts.channels[0];
    const source = channel === undefined ? 'nothing' : `${channel.sourceHost}:${channel.sourcePort}`;
    return `it replicates from ${source}, not from the primary ${writer.node}`;
  }
  const cutOff = writer.kind === 'no-primary' ? cutOffSource(replica, topology) : undefined;
  if (cutOff !== undefined) return `it replicates from ${cutOff}, which is out of its group`;
  for (const channel of facts.channels) {
    const name = channel.name === '' ? '' : ` of channel '${channel.name}'`;
    if (!channel.sql) return `the applying thread${name} is stopped${because(channel)}`;
    if (channel.delayMs > maxLagMs)
      return `it is delayed on purpose by ${channel.delayMs} ms, more than ${maxLagMs} ms`;
  }
  const lag = stalenessMs(replica, topology, now);
  if (lag !== null && lag <= maxLagMs) return undefined;
  const allowedMs = allowedLagMs(replica, topology, limits);
  if (lag === null && allowedMs < Number.POSITIVE_INFINITY)
    return `its lag is unknown${whyUnknown(replica, topology)}`;
  if (lag !== null && lag > allowedMs)
    return `it may be ${Math.round(lag)} ms behind, more than ${allowedMs} ms`;
  return behindOthers(replica, topology, maxLagMs, now);
}

/** Why `replica` is too far behind the freshest that is left while no primary can be reached; undefined when it is not. */
function behindOthers(
  replica: UpNode,
  topology: TopologyDescription,
  maxLagMs: number,
  now: number,
): string | undefined {
  const known = freshestLeft(topology, (other) => stalenessMs(other, topology, now));
  // Nobody has ever heard of the primary: what the replicas report of themselves is all that there is.
  const best = known ?? freshestLeft(topology, (other) => effectiveLagMs(other, now));
  if (best !== undefined && gtidsContained(best.node.facts, replica.facts)) return undefined;
  const lag = known === undefined ? effectiveLagMs(replica, now) : stalenessMs(replica, topology, now);
  if (lag === null) {
    const why = best === undefined ? whyNotBestLeft(replica, topology) : `${best.node.id} may be fresher`;
    return why === undefined ? undefined : `its lag is unknown${whyUnknown(replica, topology)}, and ${why}`;
  }
  const furtherMs = lag - (best?.ms ?? lag);
  return furtherMs > maxLagMs
    ? `it may be ${Math.round(furtherMs)} ms further behind than another replica, more than ${maxLagMs} ms`
    : undefined;
}

/** Why the lag of a replica is unknown, as far as the threads that its data comes through tell. */
function whyUnknown({ facts, upstream = [] }: UpNode, { nodes, lagRule }: TopologyDescription): string {
  const own = facts.channels.find(({ io }) => io !== 'yes');
  if (own !== undefined)
    return `: the receiving thread is ${own.io === 'no' ? 'stopped' : 'not connected'}${because(own)}`;
  for (const id of upstream) {
    const above = nodes.find((node) => node.id === id);
    if (above?.state !== 'up') continue;
    const broken = above.facts.channels.find(({ io, sql }) => io !== 'yes' || !sql);
    if (broken === undefined) continue;
    const thread = broken.sql ? 'receiving' : 'applying';
    const state = broken.sql && broken.io === 'connecting' ? 'not connected' : 'stopped';
    return `: the ${thread} thread of ${id}, through which its data comes, is ${state}`;
  }
  return lagRule === 'heartbeat' ? ': no heartbeat is seen to move' : '';
}

/** The member of a group that the replica follows while neither it nor another source is with the majority. */
function cutOffSource({ upstream }: UpNode, { nodes }: TopologyDescription): string | undefined {
  const sources = nodes.filter(({ id, state }) => state === 'up' && upstream?.includes(id) === true);
  const members = sources.filter((node) => node.state === 'up' && node.facts.group !== undefined);
  return members.some(isSoundMember) ? undefined : members[0]?.id;
}

/** Reasons for routing are logged, and stand on the live page. */
function because(channel: ReplicationChannel): string {
  const error = channelError(channel);
  return error === '' ? '' : ` (${error.length > 160 ? `${error.slice(0, 157)}...` : error})`;
}
