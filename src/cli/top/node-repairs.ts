/** What a session node tells about its repairs: the one under way, and those that were done. */
import type { CallOptions } from '../../common/deadline.js';
import { leaseKey, repairsKey } from '../../memcached/copies/copy-key.js';
import type { MemcachedNode } from '../../memcached/memcached-node.js';
import { decodeDone, decodeUnderWay } from '../../memcached/resync/repair-notes.js';
import type { TopCache } from './top-report.js';

/** The part of a picture that is about repairs. */
export type NodeRepairs = Pick<TopCache, 'repair' | 'repaired'>;

/** Of a node that tells of none. */
export const NO_REPAIRS: NodeRepairs = { repair: null, repaired: null };

/** Asks `node`. Errors: as reading from it. */
export async function repairsOf(node: MemcachedNode, call: CallOptions): Promise<NodeRepairs> {
  const [lease, notes] = await Promise.all([
    node.peek(leaseKey(node.id), call),
    node.peek(repairsKey(node.id), call),
  ]);
  const done = notes === null ? undefined : decodeDone(notes.value);
  return {
    repair: lease === null ? null : (decodeUnderWay(lease.value) ?? null),
    repaired:
      done === undefined
        ? null
        : {
            repairs: done.repairs,
            items: done.items,
            last: {
              kind: done.lastKind,
              items: done.lastItems,
              elapsedMs: done.lastMs,
              at: new Date(done.lastAt).toISOString(),
            },
          },
  };
}
