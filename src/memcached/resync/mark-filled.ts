/** Says on nodes that they are filled: on one that was filled, and on all of them when they are new. */
import type { CallOptions } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { fillMarkerKey, type Incarnation, incarnationOf, newFillMarker } from '../copies/fill-marker.js';
import type { MemcachedNode } from '../memcached-node.js';
import { areEmpty } from './asked-marks.js';
import { ResyncLease } from './resync-lease.js';

/** A node with the lease on it. */
export interface LeasedNode {
  /** The node. */
  readonly node: MemcachedNode;
  /** The lease. */
  readonly lease: ResyncLease;
}

/** A life that cannot be told is that of no other marker. */
const UNKNOWN_LIFE: Incarnation = { pid: 0, startedAt: 0 };

/**
 * Marks a node as filled. The marker goes on the very life of the node that was filled: its lease would not have outlived a restart
 * or a flush.
 *
 * @param anew whether so many nodes were not filled that nobody can say whether anything is missing
 * @returns the marker
 */
export async function markFilled(
  { node, lease }: LeasedNode,
  ring: string,
  anew: boolean,
  call: CallOptions,
): Promise<string> {
  const key = fillMarkerKey(ring);
  const incarnation = incarnationOf(await node.stats(call)) ?? UNKNOWN_LIFE;
  const marker = newFillMarker(incarnation, anew ? Date.now() : undefined);
  const [ours] = await Promise.all([lease.renew(call), node.set(key, marker, { ...call, exptime: 0 })]);
  if (ours) return marker.toString('latin1');
  await node.delete(key, call);
  throw nodeWasLost(node.id);
}

/**
 * Marks nodes that looked new, all of them, when they still are: one may have been filled from another since, which then lost
 * everything. Under the leases of all nobody fills any meanwhile; when another process has one, nothing is done.
 */
export async function markNewNodes(
  nodes: readonly MemcachedNode[],
  ring: string,
  call: CallOptions,
): Promise<void> {
  const held: LeasedNode[] = [];
  try {
    // One after the other and always in the same order, so that of two processes one gets them all.
    for (const node of [...nodes].sort((one, other) => (one.id < other.id ? -1 : 1))) {
      const lease = await ResyncLease.take(node, call);
      if (lease === undefined) return;
      held.push({ node, lease });
    }
    if (nodes.length > 1 && !(await areEmpty(nodes, ring, call))) return;
    await Promise.all(held.map((one) => markFilled(one, ring, true, call)));
  } finally {
    await Promise.all(held.map(({ lease }) => lease.release()));
  }
}

/** The error of work on a node that did not stay as it was. */
export function nodeWasLost(node: NodeId): StormlampError {
  return new StormlampError(
    ErrorCode.NODE_UNREACHABLE,
    `${node} was restarted, flushed or not reachable while it was brought up to date; that begins anew`,
    { node },
  );
}
