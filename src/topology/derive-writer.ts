/** Who is the primary, decided from what all nodes say about themselves; a pure function, so that every process agrees. */
import type { NodeId } from '../common/node-address.js';
import { haveNothingInCommon } from './common-history.js';
import { gtidReached, gtidsContained } from './gtid-position.js';
import { isHidden, type NodeDescription } from './node-description.js';
import { knownFacts, mayBeSameServer, type ReplicationGraph } from './replication-graph.js';
import type { TopologyWarning, WriterState } from './topology-description.js';

/** A node that answers. */
type UpNode = Extract<NodeDescription, { state: 'up' }>;

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
 *   writable, that other does; if it is down, the only other one that was seen to be made writable does.
 * - A sole claim that no node follows is void while nodes that answer follow somebody else: that is an old primary that came back.
 *   It is disputed by a writable node without a source that has more transactions: that may be its successor.
 * - Without any claim, a single writable node without a source is taken if no node that answers contradicts it and it did not
 *   already stand beside a living primary: a two-node cluster after a promotion by hand. It is not taken while a server lives
 *   that the monitor cannot see into: that one may be the primary of others.
 * - The second source of a replica with several, which has nothing in common with the primary, claims nothing: it has other data.
 * - Two claims are a split brain, unless one is followed by all (or was the last primary, and none follow another) and the
 *   others provably have nothing that it lacks: those are stale.
 */
export function deriveWriter(
  nodes: readonly NodeDescription[],
  graph: ReplicationGraph,
  lastPrimary: NodeId | undefined,
): WriterVerdict {
  const up = nodes.filter((node) => node.state === 'up');
  const stance = new Stance(up, graph);
  const alone = up.filter(
    (node) =>
      !node.facts.readOnly &&
      node.facts.channels.length === 0 &&
      (node.facts.replicationVisible || node.configuredRole === 'primary') &&
      !isForeign(node, nodes, stance, lastPrimary),
  );
  const claims = ringPrimaries(nodes, graph, lastPrimary);
  for (const node of alone) {
    const isClaim =
      node.configuredRole === 'primary' || node.id === lastPrimary || stance.followers(node).length > 0;
    if (isClaim) claims.push(node);
  }
  const [first] = claims;
  if (first !== undefined && claims.length === 1 && stance.followers(first).length === 0) {
    claims.push(...alone.filter((node) => node.alone?.beside === undefined && isAhead(node, first)));
  }
  const [sole] = claims;
  if (sole === undefined) return withoutClaim(alone, stance, nodes);
  if (claims.length === 1) return soleClaim(sole, stance, nodes.length);
  return disputed(claims, stance, lastPrimary);
}

/** What the replication of the nodes that answer says about a claim. */
class Stance {
  readonly #up: readonly UpNode[];
  readonly #graph: ReplicationGraph;

  constructor(up: readonly UpNode[], graph: ReplicationGraph) {
    this.#up = up;
    this.#graph = graph;
  }

  /** The nodes whose data comes from `node`. */
  followers(node: NodeDescription): UpNode[] {
    return this.#up.filter((other) => other !== node && this.#graph.upstreamOf(other.id).includes(node.id));
  }

  /** The replicas whose data does not come from `node`. */
  opponents(node: UpNode): UpNode[] {
    return this.#up.filter(
      (other) =>
        other !== node &&
        other.facts.channels.length > 0 &&
        !this.#graph.upstreamOf(other.id).includes(node.id),
    );
  }
}

/**
 * Whether a writable node is the primary of other data: a second source of replicas with several. Everybody who follows it follows
 * a primary of ours, too, in whatever state that is, and no transaction of one is known to be on the other.
 */
function isForeign(
  node: UpNode,
  nodes: readonly NodeDescription[],
  stance: Stance,
  lastPrimary: NodeId | undefined,
): boolean {
  if (node.configuredRole !== 'any' || node.id === lastPrimary) return false;
  const followers = stance.followers(node);
  if (followers.length === 0) return false;
  return nodes.some((other) => {
    if (other === node) return false;
    const theirs = stance.followers(other);
    if (!followers.every((follower) => theirs.includes(follower))) return false;
    const isOurs =
      other.configuredRole === 'primary' || other.id === lastPrimary || theirs.length > followers.length;
    const facts = knownFacts(other);
    if (facts === undefined) return isOurs;
    return isOurs && facts.channels.length === 0 && haveNothingInCommon(node.facts, facts);
  });
}

function withoutClaim(
  alone: readonly UpNode[],
  stance: Stance,
  nodes: readonly NodeDescription[],
): WriterVerdict {
  const [only, second] = alone;
  const isSuccessor =
    only !== undefined &&
    second === undefined &&
    only.alone?.beside === undefined &&
    stance.opponents(only).length === 0 &&
    !nodes.some(isHidden);
  return isSuccessor ? taken(only, stance, nodes.length) : { writer: { kind: 'no-primary' }, warnings: [] };
}

function soleClaim(node: UpNode, stance: Stance, known: number): WriterVerdict {
  const opponents = stance.opponents(node);
  if (stance.followers(node).length > 0 || opponents.length === 0) return taken(node, stance, known);
  const claim = node.configuredRole === 'primary' ? 'is configured as primary' : 'was the primary';
  const warning: TopologyWarning = {
    code: 'unfollowed-primary',
    node: node.id,
    message:
      `${node.id} ${claim} and is writable, but ${opponents.map(({ id }) => id).join(' and ')} ` +
      `replicate${opponents.length === 1 ? 's' : ''} from another server; it is not written to. ` +
      'Make it a replica of the new primary, or point the replicas at it.',
  };
  return { writer: { kind: 'no-primary' }, warnings: [warning] };
}

function taken(node: UpNode, stance: Stance, known: number): WriterVerdict {
  const confirmed = known === 1 || node.configuredRole === 'primary' || stance.followers(node).length > 0;
  const warning: TopologyWarning = {
    code: 'unfollowed-primary',
    node: node.id,
    message: `${node.id} is taken for the primary because it is the only writable node without a source; no replica confirms it.`,
  };
  return { writer: { kind: 'primary', node: node.id }, warnings: confirmed ? [] : [warning] };
}

function disputed(claims: readonly UpNode[], stance: Stance, lastPrimary: NodeId | undefined): WriterVerdict {
  const isStale = (node: UpNode, winner: UpNode): boolean =>
    stance.followers(node).length === 0 && gtidsContained(node.facts, winner.facts);
  const winner = claims.find(
    (claim) =>
      (stance.followers(claim).length > 0 || claim.id === lastPrimary) &&
      stance.opponents(claim).length === 0 &&
      claims.every((other) => other === claim || isStale(other, claim)),
  );
  if (winner === undefined) {
    return { writer: { kind: 'split-brain', nodes: claims.map(({ id }) => id).sort() }, warnings: [] };
  }
  const warnings = claims
    // Whoever may be the winner under another name is told as such, and must not be made read-only.
    .filter((claim) => claim !== winner && !mayBeSameServer(claim.facts, winner.facts))
    .map(
      ({ id }): TopologyWarning => ({
        code: 'stale-primary',
        node: id,
        message:
          `${id} is writable, but no replica follows it and ${winner.id} has all of its transactions; ` +
          `${winner.id} is the primary. Make ${id} read-only and a replica before somebody writes to it.`,
      }),
    );
  return { writer: { kind: 'primary', node: winner.id }, warnings };
}

/** The claimant of each ring of circular replication. */
function ringPrimaries(
  nodes: readonly NodeDescription[],
  graph: ReplicationGraph,
  lastPrimary: NodeId | undefined,
): UpNode[] {
  const up = nodes.filter((node) => node.state === 'up');
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
    const [only, second] = writable;
    const hasRetired = ring.some(
      ({ configuredRole, facts }) => configuredRole === 'primary' && facts.readOnly,
    );
    // Of an active and a passive side, the passive one was made writable when the active one was gone.
    const hasDied = nodes.some(
      (other) =>
        other.state === 'down' &&
        (!isHidden(other) || only?.id === lastPrimary) &&
        other.configuredRole === 'primary' &&
        upstream.includes(other.id),
    );
    const isSwapped = hasRetired || (hasDied && only?.madeWritable === true);
    const claim = configured ?? (isSwapped && second === undefined ? only : undefined);
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
