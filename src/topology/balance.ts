/** How one of several equally good nodes is chosen. */
import type { NodeId } from '../common/node-address.js';
import type { NodeDescription } from './node-description.js';

/** What a balance may look at besides the nodes. */
export interface BalanceContext {
  /** Calls that the node is working on for this process now. */
  readonly inFlight: (node: NodeId) => number;
  /** Monotonic milliseconds. */
  readonly now: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** When a node's breaker let calls through again, monotonic milliseconds; `-Infinity` for a node that was never shut off. */
  readonly returnedAt?: ((node: NodeId) => number) | undefined;
}

/** Chooses one of `candidates`, which has at least one member; undefined only for an empty list. */
export type Balance = (
  candidates: readonly NodeDescription[],
  context: BalanceContext,
) => NodeDescription | undefined;

/** The names of the balances. */
export type BalanceName = 'least-in-flight' | 'round-robin' | 'weighted' | 'latency';

/** Milliseconds over which a node that came back takes up its share. */
const RAMP_MS = 10_000;

/**
 * The share of calls that a node takes relative to the others: its weight, and while it is back for less than ten seconds
 * (it answers again, or its breaker closed) a part of it that grows from a tenth to the whole. Weight 0 counts as equal among
 * nodes that all have weight 0.
 */
export function shareOf(
  node: NodeDescription,
  { now, returnedAt }: Pick<BalanceContext, 'now' | 'returnedAt'>,
): number {
  const weight = node.weight > 0 ? node.weight : 1;
  if (node.state !== 'up') return weight;
  const back = returnedAt?.(node.id) ?? Number.NEGATIVE_INFINITY;
  const age = now - Math.max(back, node.upSince ?? Number.NEGATIVE_INFINITY);
  return age >= RAMP_MS ? weight : weight * Math.max(0.1, age / RAMP_MS);
}
