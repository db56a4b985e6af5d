/** What nodes say about themselves when they are asked now: what was seen when work was planned is old by the time it is done. */
import type { CallOptions } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import type { CopyPlaces, NodeList } from '../copies/copy-places.js';
import { meansUnreachable } from '../copies/copy-report.js';
import type { MemcachedNode } from '../memcached-node.js';
import { askNode, nodeMarks } from '../node-observation.js';
import { type NodeView, nobodyKeptAll } from './resync-plan.js';

/** Whether a node says that it is filled for `ring`. */
export async function isFilled(node: MemcachedNode, ring: string, call: CallOptions): Promise<boolean> {
  return (await askNode(node, nodeMarks(ring), [], call)).marker !== undefined;
}

/** Whether every node of a list that can be reached says that it is filled, but for those that need not be. */
export async function areFilled(
  { nodes, ring }: Pick<NodeList, 'nodes' | 'ring'>,
  call: CallOptions,
  excused: readonly NodeId[] = [],
): Promise<boolean> {
  const asked = nodes.filter(({ id }) => !excused.includes(id));
  const filled = await Promise.all(
    asked.map((node) =>
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

/**
 * Whether `filling` began anew, by what was seen when its fill was planned: a node that was not filled then may have been since, and have
 * kept everything when this one was emptied.
 */
export async function isAnew(
  filling: NodeId,
  views: readonly NodeView[],
  places: CopyPlaces,
  call: CallOptions,
): Promise<boolean> {
  if (!nobodyKeptAll(views, places.copies)) return false;
  const now = views.map(async (view) => {
    const node = places.node(view.node);
    if (view.node === filling || !view.reached || view.filled || node === undefined) return view;
    return { ...view, filled: await isFilled(node, places.ring, call).catch(() => false) };
  });
  return nobodyKeptAll(await Promise.all(now), places.copies);
}
