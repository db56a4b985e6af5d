/** Which replicas will have a position first, as far as their lag tells. */
import type { GtidPosition } from '../topology/gtid-position.js';
import type { NodeDescription } from '../topology/node-description.js';

/** Those of `candidates` that are behind the least, and no more than `waitMs`; only such of `flavor` for which `may` allows a wait. */
export function soonestReplicas(
  candidates: readonly NodeDescription[],
  flavor: GtidPosition['flavor'],
  waitMs: number,
  may: (node: NodeDescription) => boolean,
): readonly NodeDescription[] {
  let soonest: NodeDescription[] = [];
  let bestMs = waitMs;
  for (const node of candidates) {
    if (node.state !== 'up' || node.role !== 'replica' || node.facts.flavor !== flavor || !may(node))
      continue;
    const delays = node.facts.channels.map(({ delayMs }) => delayMs);
    const behindMs = Math.max(node.lag?.ms ?? 0, ...delays);
    if (behindMs > bestMs) continue;
    if (behindMs < bestMs) soonest = [];
    soonest.push(node);
    bestMs = behindMs;
  }
  return soonest;
}
