/** Power of two choices: of two nodes picked at random the less busy one, which evens load out without a herd. */
import { type BalanceContext, shareOf } from './balance.js';
import type { NodeDescription } from './node-description.js';
import { pickWeighted } from './weighted.js';

/** Picks two different nodes in proportion to their shares, and of these the one with fewer calls per share in flight. */
export function pickLeastInFlight(
  candidates: readonly NodeDescription[],
  context: BalanceContext,
): NodeDescription | undefined {
  const first = pickWeighted(candidates, context);
  if (first === undefined || candidates.length < 2) return first;
  const second =
    candidates.length === 2
      ? candidates[first === candidates[0] ? 1 : 0]
      : pickWeighted(candidates, context, candidates.indexOf(first));
  if (second === undefined) return first;
  return loadOf(second, context) < loadOf(first, context) ? second : first;
}

function loadOf(node: NodeDescription, context: BalanceContext): number {
  return context.inFlight(node.id) / shareOf(node, context);
}
