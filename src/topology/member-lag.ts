/** How far a member of a group is behind the others. */
import { isSoundMember } from './group-roles.js';
import type { GroupMark, Lag, NodeDescription } from './node-description.js';

/** A node that answers. */
type UpNode = Extract<NodeDescription, { state: 'up' }>;

/** The lag of a member, and what it lacks. */
interface MemberLag {
  /** Its time is that up to which the member has everything. */
  readonly lag: Lag;
  /** What it was seen to lack first of what it lacks still. */
  readonly lacks: GroupMark | undefined;
}

/**
 * How far a member is behind: it was in step when it was last seen with nothing left to apply, and with all that the others
 * were seen to have before. What an applying thread has taken and cannot commit is in no queue, so the others tell it. Else
 * that time stands still, so that the lag grows, until the member has what it lacked: then it is as fresh as the looks at
 * those that had it, for a member that is always a moment behind catches up again and again.
 */
export function memberLag(
  node: UpNode,
  was: NodeDescription | undefined,
  nodes: readonly NodeDescription[],
): MemberLag {
  const before = was?.state === 'up' && was.facts.group !== undefined ? was : undefined;
  // Looks at others after the last one at it say nothing about it.
  if (before?.seenAt === node.seenAt && before.lag !== null) return { lag: before.lag, lacks: before.lacks };
  const others = markOfOthers(node, nodes);
  if (node.facts.group?.queue === 0 && (others === undefined || hasReached(node, others))) {
    return { lag: { ms: 0, at: node.seenAt }, lacks: undefined };
  }
  const lag = before?.lag ?? { ms: null, at: node.seenAt };
  const known = [before?.lacks, others].filter((mark) => mark !== undefined);
  const since = Math.max(...known.filter((mark) => hasReached(node, mark)).map(({ at }) => at));
  const isFresher = lag.ms === null ? since > Number.NEGATIVE_INFINITY : since > lag.at - lag.ms;
  const lacks = known.find((mark) => !hasReached(node, mark));
  return { lag: isFresher ? { ms: 0, at: since } : lag, lacks };
}

function hasReached({ facts }: UpNode, mark: GroupMark): boolean {
  const committed = facts.group?.committed;
  return committed !== undefined && committed.history === mark.history && committed.number >= mark.number;
}

/** What the other members had at looks that began earlier; undefined where they do not tell, or count something else. */
function markOfOthers(node: UpNode, nodes: readonly NodeDescription[]): GroupMark | undefined {
  const own = node.facts.group?.committed;
  if (own === undefined) return undefined;
  let mark: GroupMark | undefined;
  for (const other of nodes) {
    if (other.id === node.id || other.state !== 'up' || other.blind !== undefined) continue;
    const there = other.facts.group?.committed;
    if (there?.history !== own.history || other.seenAt >= node.seenAt || !isSoundMember(other)) continue;
    mark = {
      history: own.history,
      number: Math.max(there.number, mark?.number ?? there.number),
      at: Math.min(other.seenAt, mark?.at ?? other.seenAt),
    };
  }
  return mark;
}
