/**
 * Takes what only one may have, like a lock, where everybody else who may ask for it asks: on the first node in placement order that can
 * be reached; on every one that can while a holder is away, missed writes or is warming, or the nodes change, since others may not know
 * that yet, or know it alone.
 */
import type { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import type { MemcachedNode } from '../memcached-node.js';
import type { CopyKey } from './copy-key.js';
import type { CopyPlaces } from './copy-places.js';
import { type MissedCopy, meansUnreachable, storeDown } from './copy-report.js';

/** What is taken, and how. */
export interface Taking<T> {
  /** Where it is. */
  readonly key: CopyKey;
  /** What was taken before, by node; what is taken is added. */
  readonly held: Map<NodeId, T>;
  /** Takes it on one node; undefined where somebody else has it. */
  readonly take: (node: MemcachedNode) => Promise<T | undefined>;
  /** Whether it can be had on several nodes; if not, it is taken on one, and best on none that others cannot reach. */
  readonly every: boolean;
}

/**
 * Asks once, see the head of this file.
 *
 * @returns whether it is taken everywhere; where not, the caller asks again later, and keeps what it has
 * @throws StormlampError `ERR_STORE_DOWN` when no node can be reached and nothing is held; what `take` throws.
 */
export async function takeOnNodes<T>(
  places: CopyPlaces,
  { key, held, take, every }: Taking<T>,
  deadline: Deadline,
): Promise<boolean> {
  places.assertKept();
  const failures: MissedCopy[] = [];
  const first = !every || places.isSettled(key);
  for (const node of first ? places.arbiters(key) : places.inOneOrder(key)) {
    deadline.check('The session store');
    try {
      const taken = held.get(node.id) ?? (await take(node));
      if (taken === undefined) return false;
      held.set(node.id, taken);
      if (first) return true;
    } catch (error) {
      if (!meansUnreachable(error)) throw error;
      failures.push({ node: node.id, error });
    }
  }
  if (held.size === 0) throw storeDown(failures);
  return true;
}
