/** Who is the primary, decided from what all nodes say about themselves; a pure function, so that every process agrees. */
import type { NodeId } from '../common/node-address.js';
import { gtidReached, gtidsContained } from './gtid-position.js';
import type { NodeDescription } from './node-description.js';
import type { ReplicationGraph } from './replication-graph.js';
import type { TopologyWarning, WriterState } from './topology-description.js';

/** A node that answers. */
export type UpNode = Extract<NodeDescription, { state: 'up' }>;

/** The writer and what is odd about it. */
export interface WriterVerdict {
  /** Who takes writes. */
  readonly writer: WriterState;
  /** Why it was not somebody else, where an operator should know. */
  readonly warnings: readonly TopologyWarning[];
}

/**
 * Finds the primary among `nodes`.
 *
 * - A writable node without a source claims to be the primary when others follow it, when it is configured as primary, or when
 *   it was the last primary.
 * - In a ring (circular replication) the configured primary claims; if that one is read-only and exactly one other is
 *   writable, that other does.
 * - A sole claim that no node follows is void while nodes that answer follow somebody else: that is an old primary that came back.
 *   It is disputed by a writable node without a source that has more transactions: that may be its successor.
 * - Without any claim, a single writable node without a source is taken if no node that answers contradicts it and it did not
 *   already stand beside a living primary: a two-node cluster after a promotion by hand.
 * - Two claims are a split brain, unless one is followed by all (or was the last primary, and none follow another) and the
 *   others provably have nothing that it lacks: those are stale.
 */
export function deriveWriter(
  nodes: readonly NodeDescription[],
  graph: ReplicationGraph,
  lastPrimary: NodeId | undefined,
): WriterVerdict {
  const up = nodes.filter((node) => node.state === 'up');
  const warnings: TopologyWarning[] = [];
  const followersOf = (id: NodeId): UpNode[] =>
    up.filter((node) => node.id !== id && graph.upstreamOf(node.id).includes(id));
  const othersFollowElsewhere = (id: NodeId): UpNode[] =>
    up.filter(
      (node) => node.id !== id && node.facts.channels.length > 0 && !graph.upstreamOf(node.id).includes(id),
    );

  const alone = up.filter(
    (node) =>
      !node.facts.readOnly &&
      node.facts.channels.length === 0 &&
      (node.facts.replicationVisible || node.configuredRole === 'primary'),
  );
  const claims: UpNode[] = ringPrimaries(up, graph);
  for (const node of alone) {
    const isClaim =
      node.configuredRole === 'primary' || node.id === lastPrimary || followersOf(node.id).length > 0;
    if (isClaim) claims.push(node);
  }
  const [first] = claims;
  if (first !== undefined && claims.length === 1 && followersOf(first.id).length === 0) {
    claims.push(...alone.filter((node) => node.alone?.beside === undefined && isAhead(node, first)));
  }
  const [sole] = claims;
  if (sole !== undefined && claims.length === 1) {
    const elsewhere = othersFollowElsewhere(sole.id);
    if (followersOf(sole.id).length > 0 || elsewhere.length === 0) {
      return { writer: { kind: 'primary', node: sole.id }, warnings };
    }
    warnings.push({
      code: 'unfollowed-primary',
      node: sole.id,
      message:
        `${sole.id} is configured as primary and writable, but ${list(elsewhere)} ` +
        `replicate${elsewhere.length === 1 ? 's' : ''} from another server; it is not written to. ` +
        'Make it a replica of the new primary, or point the replicas at it.',
    });
    return { writer: { kind: 'no-primary' }, warnings };
  }

  if (claims.length === 0) {
    const [only, second] = alone;
    if (
      only !== undefined &&
      second === undefined &&
      only.alone?.beside === undefined &&
      othersFollowElsewhere(only.id).length === 0
    ) {
      if (nodes.length > 1) {
        warnings.push({
          code: 'unfollowed-primary',
          node: only.id,
          message: `${only.id} is taken for the primary because it is the only writable node without a source; no replica confirms it.`,
        });
      }
      return { writer: { kind: 'primary', node: only.id }, warnings };
    }
    return { writer: { kind: 'no-primary' }, warnings };
  }

  const winner = claims.find(
    (claim) =>
      (followersOf(claim.id).length > 0 || claim.id === lastPrimary) &&
      othersFollowElsewhere(claim.id).length === 0 &&
      claims.every(
        (other) =>
          other === claim || (followersOf(other.id).length === 0 && gtidsContained(other.facts, claim.facts)),
      ),
  );
  if (winner === undefined) {
    return { writer: { kind: 'split-brain', nodes: claims.map((node) => node.id).sort() }, warnings };
  }
  for (const stale of claims) {
    if (stale === winner) continue;
    warnings.push({
      code: 'stale-primary',
      node: stale.id,
      message:
        `${stale.id} is writable, but no replica follows it and ${winner.id} has all of its transactions; ` +
        `${winner.id} is the primary. Make ${stale.id} read-only and a replica before somebody writes to it.`,
    });
  }
  return { writer: { kind: 'primary', node: winner.id }, warnings };
}

/** The claimant of each ring of circular replication. */
function ringPrimaries(up: readonly UpNode[], graph: ReplicationGraph): UpNode[] {
  const claims: UpNode[] = [];
  const seen = new Set<NodeId>();
  for (const node of up) {
    const upstream = graph.upstreamOf(node.id);
    if (seen.has(node.id) || !upstream.includes(node.id)) continue;
    const ring = up.filter(
      (other) => upstream.includes(other.id) && graph.upstreamOf(other.id).includes(node.id),
    );
    for (const member of ring) seen.add(member.id);
    const writable = ring.filter((member) => !member.facts.readOnly);
    const configured = writable.find((member) => member.configuredRole === 'primary');
    const swapped =
      writable.length === 1 &&
      ring.some((member) => member.configuredRole === 'primary' && member.facts.readOnly)
        ? writable[0]
        : undefined;
    const claim = configured ?? swapped;
    if (claim !== undefined) claims.push(claim);
  }
  return claims;
}

/** Whether `node` has applied all that `other` has, and more, as far as their positions tell. */
function isAhead(node: UpNode, other: UpNode): boolean {
  const [mine, theirs] = [node.facts, other.facts];
  if (node === other || mine.flavor !== theirs.flavor || mine.gtid === '' || theirs.gtid === '') return false;
  return (
    gtidReached(mine.flavor, mine.gtid, theirs.gtid) && !gtidReached(mine.flavor, theirs.gtid, mine.gtid)
  );
}

function list(nodes: readonly UpNode[]): string {
  return nodes.map((node) => node.id).join(' and ');
}
