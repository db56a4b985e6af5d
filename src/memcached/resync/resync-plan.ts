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
 * The nodes that a filler takes an item from, the best first: those that hold it before spare ones, which took it for somebody,
 * and of the holders in placement order those that are filled and missed nothing, then those that are filled.
 *
 * @param holders the holders of the item, in placement order
 * @param spares the other nodes, in placement order
 * @param views the nodes by name
 * @param to the node that is filled
 */
export function sourcesFor(
  holders: readonly NodeId[],
  spares: readonly NodeId[],
  views: ReadonlyMap<NodeId, NodeView>,
  to: NodeId,
): readonly NodeId[] {
  const rank = (node: NodeId): number => {
    if (spares.includes(node)) return 3;
    if (views.get(node)?.filled !== true) return 2;
    return isSuspected(node, views) ? 1 : 0;
  };
  const readable = [...holders, ...spares].filter((node) => node !== to && views.get(node)?.reached === true);
  return readable
    .map((node) => ({ node, rank: rank(node) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ node }) => node);
}

/** Whether the best source of every item holds all that there is of it: nobody but the node that is filled lacks anything. */
export function sourcesAreWhole(views: ReadonlyMap<NodeId, NodeView>, to: NodeId): boolean {
  return [...views.values()].every(
    ({ node, reached, filled }) => node === to || (reached && filled && !isSuspected(node, views)),
  );
}

function isSuspected(node: NodeId, views: ReadonlyMap<NodeId, NodeView>): boolean {
  return [...views.values()].some(({ suspects }) => suspects.includes(node));
}
