/** Which node the votes that are given now name; a pure function. */
import type { NodeId } from '../../common/node-address.js';
import { majorityOf } from './majority.js';

/**
 * The node that a majority of all voters votes for, whether it answers or not: no other one can have a lease. undefined when there
 * is none. `votes`: the vote of each voter that has answered lately, null for none.
 */
export function votedNode(votes: ReadonlyMap<NodeId, NodeId | null>, voters: number): NodeId | undefined {
  const counts = new Map<NodeId, number>();
  for (const vote of votes.values()) {
    if (vote === null) continue;
    const count = (counts.get(vote) ?? 0) + 1;
    if (count >= majorityOf(voters)) return vote;
    counts.set(vote, count);
  }
  return undefined;
}
