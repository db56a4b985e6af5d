/** Whether a replica may serve a read now, and if not, why. */
import { isSoundMember } from './group-roles.js';
import type { NodeDescription, ProbeFailure } from './node-description.js';
import { effectiveLagMs } from './node-description.js';
import type { TopologyDescription } from './topology-description.js';

/** A node that answers. */
type UpNode = Extract<NodeDescription, { state: 'up' }>;

/** Failures of a probe that prove that the server process is gone; a server that does not answer may go on writing. */
const PROOFS_OF_DEATH: ReadonlySet<ProbeFailure> = new Set(['refused', 'reset', 'server-shutdown']);

/**
 * How far `replica` may be behind at `now`, in milliseconds; null is unknown.
 *
 * While the primary that the replica followed is down and no other node takes writes, nothing newer can be written anywhere. A
 * replica that was in step when it lost that primary then gets no staler as time passes: its lag stands still at what it was
 * when the primary went down. It grows again from the moment when another node may have become writable, and is unknown again
 * as soon as there is a new primary that the replica does not follow. A primary that only does not answer may go on writing:
 * then the lag of a replica that has not heard of it since grows as time passes.
 */
export function stalenessMs(
  replica: NodeDescription,
  topology: TopologyDescription,
  now: number,
): number | null {
  const lag = effectiveLagMs(replica, now);
  if (topology.writer.kind !== 'no-primary' || replica.state !== 'up') return lag;
  const lost = replica.sourceLost;
  if (lag === null && lost === undefined) return null;
  const head = topology.nodes.find((node) => node.id === replica.upstream?.at(-1));
  if (head?.state !== 'down') return lag;
  const isDead = PROOFS_OF_DEATH.has(head.failure);
  if (lag !== null || lost === undefined) {
    const hasHeard = isDead || (replica.heardAt ?? Number.NEGATIVE_INFINITY) > head.downSince;
    return lag === null || hasHeard ? lag : Math.max(lag, now - head.downSince);
  }
  if (!isDead) return lost.lagMs + Math.max(0, now - lost.at);
  // Until it was seen to be down it may have taken writes that the replica never got.
  const untilItsDeath = Math.max(0, head.downSince - lost.at);
  let sinceAnother = 0;
  for (const node of topology.nodes) {
    if (node.state === 'up' && node.alone !== undefined)
      sinceAnother = Math.max(sinceAnother, now - node.alone.notBefore);
  }
  const ms = lost.lagMs + untilItsDeath + sinceAnother;
  return Number.isFinite(ms) ? ms : null;
}

/** Why `replica` may not serve a read that tolerates `maxLagMs`; undefined when it may. */
export function unfitness(
  replica: UpNode,
  topology: TopologyDescription,
  maxLagMs: number,
  now: number,
): string | undefined {
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
    if (!channel.sql) return `the applying thread${name} is stopped${because(channel.error)}`;
    if (channel.delayMs > maxLagMs)
      return `it is delayed on purpose by ${channel.delayMs} ms, more than ${maxLagMs} ms`;
  }
  const lag = stalenessMs(replica, topology, now);
  if (lag === null) {
    const broken = facts.channels.find((channel) => channel.io !== 'yes');
    return broken === undefined
      ? 'its lag is unknown'
      : `its lag is unknown: the receiving thread is ${broken.io === 'no' ? 'stopped' : 'not connected'}${because(broken.error)}`;
  }
  return lag > maxLagMs ? `it may be ${Math.round(lag)} ms behind, more than ${maxLagMs} ms` : undefined;
}

/** The member of a group that the replica follows while neither it nor another source is with the majority. */
function cutOffSource({ upstream }: UpNode, { nodes }: TopologyDescription): string | undefined {
  const sources = nodes.filter(({ id, state }) => state === 'up' && upstream?.includes(id) === true);
  const members = sources.filter((node) => node.state === 'up' && node.facts.group !== undefined);
  return members.some(isSoundMember) ? undefined : members[0]?.id;
}

function because(error: string): string {
  return error === '' ? '' : ` (${error.length > 160 ? `${error.slice(0, 157)}...` : error})`;
}
