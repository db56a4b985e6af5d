/** What nodes say about themselves when they are asked now: what was seen when work was planned is old by the time it is done. */
import type { CallOptions } from '../../common/deadline.js';
import type { NodeList } from '../copies/copy-places.js';
import { meansUnreachable } from '../copies/copy-report.js';
import type { MemcachedNode } from '../memcached-node.js';
import { askNode, nodeMarks } from '../node-observation.js';

/** Whether a node says that it is filled for `ring`. */
export async function isFilled(node: MemcachedNode, ring: string, call: CallOptions): Promise<boolean> {
  return (await askNode(node, nodeMarks(ring), [], call)).marker !== undefined;
}

/** Whether every node of a list that can be reached says that it is filled. */
export async function areFilled(
  { nodes, ring }: Pick<NodeList, 'nodes' | 'ring'>,
  call: CallOptions,
): Promise<boolean> {
  const filled = await Promise.all(
    nodes.map((node) =>
      isFilled(node, ring, call).catch((error: unknown) => {
        if (meansUnreachable(error)) return true;
        throw error;
      }),
    ),
  );
  return filled.every((one) => one);
}

/** Whether no node holds anything but the lease of whoever asks. */
export async function areEmpty(
  nodes: readonly MemcachedNode[],
  ring: string,
  call: CallOptions,
): Promise<boolean> {
  const answers = await Promise.all(nodes.map((node) => askNode(node, nodeMarks(ring), [], call)));
  return answers.every(({ memory }) => memory.items <= 1);
}
