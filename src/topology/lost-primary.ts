/** What replicas are worth while no primary can be reached: nobody can tell then whether it still takes writes of others. */
import { isErrant } from './errant-replica.js';
import { gtidsContained } from './gtid-position.js';
import { effectiveLagMs, type NodeDescription } from './node-description.js';
import type { TopologyDescription } from './topology-description.js';

/** A node that answers. */
type UpNode = Extract<NodeDescription, { state: 'up' }>;

/** A primary that cannot be reached from here. */
export interface LostPrimary {
  /** Whether it is a node that is looked at, or the unknown source of a replica that lost it, too. */
  readonly isNode: boolean;
  /** When the last look that it answered began; undefined when it never did. */
  readonly seenAt: number | undefined;
  /** The replica next to it: of a chain, only this one hears of it. */
  readonly hearer: UpNode | undefined;
}

/** The primary that `replica` follows, while it does not answer and no other node takes writes. */
export function lostPrimaryOf(
  replica: NodeDescription,
  { nodes, writer }: TopologyDescription,
): LostPrimary | undefined {
  if (writer.kind !== 'no-primary' || replica.state !== 'up' || replica.upstream === undefined)
    return undefined;
  // Who was not looked at yet may be the primary, and alive.
  if (nodes.some(({ state }) => state === 'new')) return undefined;
  const chain = [replica.id, ...replica.upstream];
  const [hearer, head] = [chain.at(-2), chain.at(-1)].map((id) => nodes.find((node) => node.id === id));
  if (head?.state === 'down') {
    return { isNode: true, seenAt: head.seenAt, hearer: hearer?.state === 'up' ? hearer : undefined };
  }
  const isFollower = head?.state === 'up' && head.upstream?.length === 0 && head.facts.channels.length > 0;
  if (!isFollower || head.facts.group !== undefined) return undefined;
  // The source is known to the replica by another address, or to nobody else.
  const unseen = nodes.some(
    (node) => node.state === 'down' && node.seenAt === undefined && node.configuredRole === 'primary',
  );
  const isLost = unseen || head.facts.channels.some(({ io }) => io !== 'yes');
  return isLost ? { isNode: unseen, seenAt: undefined, hearer: head } : undefined;
}

/**
 * Whether a node answers that may be the primary, although it takes no writes or nothing proves that others write to it: a
 * writable node without a source that stood beside a living primary is none.
 */
export function hasOtherHead({ nodes }: TopologyDescription): boolean {
  return nodes.some(
    (node) =>
      node.state === 'up' &&
      (node.role === 'primary' || (node.alone !== undefined && node.alone.beside === undefined)),
  );
}

/**
 * How far `replica` may be behind at `now` when its primary is `lost`, in milliseconds; null is unknown. However the primary
 * is missed, it may go on to take the writes of others: a refused or reset connection may be the word of a proxy or a firewall,
 * and a server that was shut down may be started again. So what counts is when it was last heard of, by this process or over
 * the connection of a replica.
 */
export function stalenessWithout(lost: LostPrimary, replica: UpNode, now: number): number | null {
  const { sourceLost } = replica;
  const known =
    effectiveLagMs(replica, now) ??
    (sourceLost === undefined ? null : sourceLost.lagMs + Math.max(0, now - sourceLost.at));
  if (known === null) return null;
  const never = Number.NEGATIVE_INFINITY;
  const lastSign = Math.max(lost.seenAt ?? never, lost.hearer?.heardAt ?? never);
  if (lastSign === never) return lost.isNode ? null : known;
  return Math.max(known, now - lastSign);
}

/** The replica that is least behind by `stalenessOf`, with how far that is; undefined when it is known of none. */
export function freshestLeft(
  topology: TopologyDescription,
  stalenessOf: (replica: UpNode) => number | null,
): { readonly node: UpNode; readonly ms: number } | undefined {
  let found: { readonly node: UpNode; readonly ms: number } | undefined;
  for (const node of topology.nodes) {
    if (node.state !== 'up' || node.role !== 'replica') continue;
    if (node.partial !== undefined || isErrant(node, topology)) continue;
    if (!node.facts.channels.every(({ sql }) => sql)) continue;
    const ms = stalenessOf(node);
    if (ms !== null && (found === undefined || ms < found.ms)) found = { node, ms };
  }
  return found;
}

/**
 * Why `replica`, of which nobody knows how far it is behind, is no better than nothing; undefined when it may be as fresh as
 * any that is left: it still wants its source, and no other replica has all that it has and more.
 */
export function whyNotBestLeft(replica: UpNode, topology: TopologyDescription): string | undefined {
  const { nodes } = topology;
  const { facts } = replica;
  if (facts.channels.some((channel) => channel.io === 'no' && !isUnreached(channel.reception?.errno)))
    return 'its receiving thread was stopped';
  const ahead = nodes.find(
    (other) =>
      other !== replica &&
      other.state === 'up' &&
      other.role === 'replica' &&
      other.partial === undefined &&
      !isErrant(other, topology) &&
      gtidsContained(facts, other.facts) &&
      !gtidsContained(other.facts, facts),
  );
  return ahead === undefined ? undefined : `${ahead.id} has more`;
}

/** Whether an error of a receiving thread is the client's own: it did not reach its source, and gave up trying. */
function isUnreached(errno = 0): boolean {
  return errno >= 2_000 && errno < 3_000;
}
