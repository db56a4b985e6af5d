/** What began an epoch, and what that says about acknowledgements of the epoch before; pure. */
import type { NodeId } from '../../common/node-address.js';

/** An epoch and the change that began it. */
export interface EpochStart {
  /** Its number. */
  readonly epoch: number;
  /** The kind of change. */
  readonly kind: string;
  /** The primary before. */
  readonly from: NodeId;
}

/**
 * Whether the new primary certainly has everything that `node` acknowledged in the epoch `before`: the next epoch was begun by a
 * switchover from it, which waits for everything after the last commit.
 */
export function tookEverything(
  node: NodeId,
  before: number | undefined,
  after: EpochStart | undefined,
): boolean {
  if (before === undefined || after === undefined) return false;
  return after.kind === 'switchover' && after.from === node && after.epoch === before + 1;
}
