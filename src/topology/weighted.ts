/** Random choice in proportion to the shares. */
import { type BalanceContext, shareOf } from './balance.js';
import type { NodeDescription } from './node-description.js';

/** Picks a node at random, in proportion to its share. */
export function pickWeighted(
  candidates: readonly NodeDescription[],
  context: Pick<BalanceContext, 'now' | 'random' | 'returnedAt'>,
): NodeDescription | undefined {
  if (candidates.length < 2) return candidates[0];
  let total = 0;
  for (const node of candidates) total += shareOf(node, context);
  let rest = context.random() * total;
  for (const node of candidates) {
    rest -= shareOf(node, context);
    if (rest < 0) return node;
  }
  return candidates.at(-1);
}
