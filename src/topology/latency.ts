/** Prefers nodes that answer fast, without giving them everything. */
import { type BalanceContext, shareOf } from './balance.js';
import type { NodeDescription } from './node-description.js';

/** Picks a node at random, in proportion to its share divided by the average round trip of its probes. */
export function pickByLatency(
  candidates: readonly NodeDescription[],
  context: Pick<BalanceContext, 'now' | 'random' | 'returnedAt'>,
): NodeDescription | undefined {
  if (candidates.length < 2) return candidates[0];
  const pull = (node: NodeDescription): number =>
    // Below a tenth of a millisecond differences are noise.
    shareOf(node, context) / Math.max(0.1, node.state === 'up' ? node.latencyMs : 1000);
  let rest = context.random() * candidates.reduce((sum, node) => sum + pull(node), 0);
  for (const node of candidates) {
    rest -= pull(node);
    if (rest < 0) return node;
  }
  return candidates.at(-1);
}
