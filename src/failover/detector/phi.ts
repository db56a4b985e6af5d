/** The phi accrual suspicion: one number that grows with the silence of a node. For people and graphs; nothing decides by it. */
import type { NodeRecord } from './node-record.js';

/** Shortest deviation of the interval between two answers that is assumed, milliseconds. */
const MIN_DEVIATION_MS = 250;

/**
 * How improbable the present silence of a node is, as minus the decimal logarithm of its probability: 1 means one in ten,
 * 8 one in a hundred million. `intervalMs` is the usual time between two answers. 0 for a node that never answered.
 */
export function phiOf(record: NodeRecord, now: number, intervalMs: number): number {
  const answeredAt = record.answering?.last ?? record.said?.at;
  if (answeredAt === undefined) return 0;
  const deviation = Math.max(MIN_DEVIATION_MS, intervalMs / 4);
  const y = (now - answeredAt - intervalMs) / deviation;
  // Bowling's logistic approximation of the normal distribution; its tail is a plain exponential.
  const slope = y * (1.5976 + 0.070566 * y * y);
  const tail = slope > 700 ? slope / Math.LN10 : Math.log10(1 + Math.exp(slope));
  return Math.max(0, tail);
}
