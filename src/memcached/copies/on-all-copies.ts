/** One piece of work on several nodes at once, with a list of those that it missed. */

import { asError } from '../../common/as-error.js';
import type { Deadline } from '../../common/deadline.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { MemcachedNode } from '../memcached-node.js';
import type { MissedCopy } from './copy-report.js';

/** Runs `work` on all of `nodes`; those where it fails are added to `missed`. Rejects only by the deadline, or when the nodes are closed. */
export async function onAllCopies(
  nodes: readonly MemcachedNode[],
  missed: MissedCopy[],
  deadline: Deadline,
  work: (node: MemcachedNode) => Promise<void>,
): Promise<void> {
  await Promise.all(
    nodes.map(async (node) => {
      try {
        await work(node);
      } catch (error) {
        if (error instanceof StormlampError && error.code === ErrorCode.CLOSED) throw error;
        missed.push({ node: node.id, error: asError(error) });
      }
    }),
  );
  deadline.check('The session store');
}
