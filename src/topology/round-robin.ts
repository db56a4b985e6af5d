/** One after the other, smoothly: a node with twice the share comes twice as often, never twice in a row without need. */
import type { NodeId } from '../common/node-address.js';
import { type Balance, shareOf } from './balance.js';

/** Makes a round robin with a memory of its own. */
export function createRoundRobin(): Balance {
  const credit = new Map<NodeId, number>();
  return (candidates, context) => {
    if (candidates.length < 2) return candidates[0];
    let total = 0;
    let best = candidates[0];
    for (const node of candidates) {
      const share = shareOf(node, context);
      total += share;
      const has = (credit.get(node.id) ?? 0) + share;
      credit.set(node.id, has);
      if (best === undefined || has > (credit.get(best.id) ?? 0)) best = node;
    }
    if (best !== undefined) credit.set(best.id, (credit.get(best.id) ?? 0) - total);
    return best;
  };
}
