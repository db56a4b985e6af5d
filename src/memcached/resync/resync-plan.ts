/** What has to be done about nodes that came back: a pure function of the last look at each of them. */
import type { NodeId } from '../../common/node-address.js';

/** What the last look at a node said. */
export interface NodeView {
  /** The node. */
  readonly node: NodeId;
  /** Whether it answered. */
  readonly reached: boolean;
  /** Whether it has the marker that says that it is filled. */
  readonly filled: boolean;
  /** Items that it holds. */
  readonly items: number;
  /** Nodes that, as it says, missed writes which it took. */
  readonly suspects: readonly NodeId[];
}

/** One piece of work. */
export type ResyncJob =
  /** All nodes are there and empty, as when they are started for the first time: nothing can be missing. */
  | { readonly kind: 'mark'; readonly nodes: readonly NodeId[] }
  /** Copy to `node` what it shall hold, from `sources`; `complete` when these are all that there are. */
  | {
      readonly kind: 'fill';
      readonly node: NodeId;
      readonly sources: readonly NodeId[];
      readonly complete: boolean;
    }
  /** Bring to `node` the writes that it missed, as noted on `reporters`. */
  | { readonly kind: 'mend'; readonly node: NodeId; readonly reporters: readonly NodeId[] };

/** Work on one node. */
export type NodeJob = Exclude<ResyncJob, { readonly kind: 'mark' }>;

/** The work that the looks ask for. */
export function planResync(views: readonly NodeView[]): readonly ResyncJob[] {
  const reached = views.filter((view) => view.reached);
  const unmarked = reached.filter(({ filled }) => !filled);
  const alone = views.length === 1;
  if (
    unmarked.length > 0 &&
    unmarked.length === views.length &&
    (alone || unmarked.every(({ items }) => items === 0))
  )
    return [{ kind: 'mark', nodes: unmarked.map(({ node }) => node) }];
  return reached.flatMap((view): ResyncJob[] => {
    const others = reached.filter(({ node }) => node !== view.node);
    if (!view.filled) {
      if (others.length === 0) return [];
      const complete = others.length === views.length - 1;
      return [{ kind: 'fill', node: view.node, sources: others.map(({ node }) => node), complete }];
    }
    const reporters = others.filter(({ suspects }) => suspects.includes(view.node)).map(({ node }) => node);
    return reporters.length === 0 ? [] : [{ kind: 'mend', node: view.node, reporters }];
  });
}

/**
 * Which of the nodes that can be read a filler takes an item from, so that of several copies the one that counts is taken: the
 * first in placement order that is filled and missed nothing, else one that is filled, else any.
 *
 * @param order all nodes of the item in placement order
 * @param views the nodes by name
 * @param to the node that is filled
 */
export function bestSource(
  order: readonly NodeId[],
  views: ReadonlyMap<NodeId, NodeView>,
  to: NodeId,
): NodeId | undefined {
  const readable = order.filter((node) => node !== to && views.get(node)?.reached === true);
  const filled = readable.filter((node) => views.get(node)?.filled === true);
  const suspected = (node: NodeId): boolean =>
    [...views.values()].some(({ suspects }) => suspects.includes(node));
  return filled.find((node) => !suspected(node)) ?? filled[0] ?? readable[0];
}
