/** Random choice in proportion to the shares. */
import { type BalanceContext, shareOf } from './balance.js';
import type { NodeDescription } from './node-description.js';

/** Picks a node at random, in proportion to its share; never the one at the index `except`. */
export function pickWeighted(
  candidates: readonly NodeDescription[],
  context: Pick<BalanceContext, 'now' | 'random' | 'returnedAt'>,
  except = -1,
): NodeDescription | undefined {
  if (candidates.length < 2) return except === 0 ? undefined : candidates[0];
  let total = 0;
  for (let index = 0; index < candidates.length; index += 1) {
    if (index !== except) total += shareOf(candidates[index] as NodeDescription, context);
  }
  let rest = context.random() * total;
  let last: NodeDescription | undefined;
  for (let index = 0; index < candidates.length; index += 1) {
    if (index === except) continue;
    last = candidates[index] as NodeDescription;
    rest -= shareOf(last, context);
    if (rest < 0) return last;
  }
  return last;
}
