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
  /** Whether it has not answered for so long that others take its copies. */
  readonly away: boolean;
  /** What it says about copies on it that belong elsewhere; see `spareMark`. */
  readonly spareMark: string | undefined;
  /** Whether there is room on it for the copies of another node. */
  readonly roomy: boolean;
}

/** One piece of work. */
export type ResyncJob =
  /** All nodes are there and empty, as when they are started for the first time: nothing can be missing. */
  | { readonly kind: 'mark'; readonly nodes: readonly NodeId[] }
  /**
   * Copy to `node` what it shall hold, from `sources`; `complete` when these are all that there are. When they are not, what it keeps for the
   * nodes that are `away` is copied as well: it is not believed before these are back, and what the others hold has one copy meanwhile.
   */
  | {
      readonly kind: 'fill';
      readonly node: NodeId;
      readonly sources: readonly NodeId[];
      readonly complete: boolean;
      readonly away: readonly NodeId[];
    }
  /** Bring to `node` the writes that it missed, as noted on `reporters`. */
  | { readonly kind: 'mend'; readonly node: NodeId; readonly reporters: readonly NodeId[] }
  /** Copy to `node` what it keeps for the nodes that are `away`, from `sources`. */
  | {
      readonly kind: 'recopy';
      readonly node: NodeId;
      readonly sources: readonly NodeId[];
      readonly away: readonly NodeId[];
    }
  /**
   * Bring to `node` what it shall hold by the list of nodes that is to decide next. Of the present list `unfilled` lost what only nodes had
   * that are given up.
   */
  | { readonly kind: 'move'; readonly node: NodeId; readonly unfilled: readonly NodeId[] }
  /** Remove from `node` what it kept for nodes that have it themselves again. */
  | { readonly kind: 'sweep'; readonly node: NodeId };

/** Work on one node. */
export type NodeJob = Exclude<ResyncJob, { readonly kind: 'mark' }>;

/**
 * The work that the looks ask for.
 *
 * @param copies how many nodes hold each item
 */
export function planResync(views: readonly NodeView[], copies: number): readonly ResyncJob[] {
  const reached = views.filter((view) => view.reached);
  const unmarked = reached.filter(({ filled }) => !filled);
  const alone = views.length === 1;
  if (
    unmarked.length > 0 &&
    unmarked.length === views.length &&
    (alone || unmarked.every(({ items }) => items === 0))
  )
    return [{ kind: 'mark', nodes: unmarked.map(({ node }) => node) }];
  const repairs = reached.flatMap((view): NodeJob[] => {
    const others = reached.filter(({ node }) => node !== view.node);
    if (!view.filled) {
      if (others.length === 0) return [];
      const complete = others.length === views.length - 1;
      // As full as the others are it is going to be.
      const roomy = reached.every((each) => each.roomy);
      const away = roomy && views.length > copies ? standInFor(views) : [];
      return [{ kind: 'fill', node: view.node, sources: others.map(({ node }) => node), complete, away }];
    }
    const reporters = others.filter(({ suspects }) => suspects.includes(view.node)).map(({ node }) => node);
    return reporters.length === 0 ? [] : [{ kind: 'mend', node: view.node, reporters }];
  });
  const busy = repairs.map(({ node }) => node);
  const spare = views.length > copies ? planSpares(views).filter(({ node }) => !busy.includes(node)) : [];
  return [...repairs, ...spare];
}

/** The nodes that are to take the copies of the nodes that are `away`, and have no room for them. */
export function planSkipped(
  views: readonly NodeView[],
  copies: number,
): { readonly away: readonly NodeId[]; readonly full: readonly NodeId[] } {
  const away = views.flatMap((view) => (view.away ? [view.node] : []));
  if (away.length === 0 || views.length <= copies) return { away, full: [] };
  const full = views.filter(({ reached, filled, roomy, spareMark }) => {
    return reached && filled && !roomy && spareMark !== spareMarkFor(away);
  });
  return { away, full: full.map(({ node }) => node) };
}

// A node that is away long enough is stood in for; once everybody is whole again, what was kept for it goes.
function planSpares(views: readonly NodeView[]): readonly NodeJob[] {
  const whole = views.filter((view) => view.reached && view.filled);
  if (views.every((view) => !view.away)) {
    const settled = whole.length === views.length && views.every(({ suspects }) => suspects.length === 0);
    return whole.flatMap(({ node, spareMark }) =>
      settled && spareMark !== undefined ? [{ kind: 'sweep', node }] : [],
    );
  }
  const away = standInFor(views);
  if (away.length === 0) return [];
  return whole.flatMap(({ node, spareMark, roomy }): NodeJob[] => {
    const sources = whole.flatMap((other) => (other.node === node ? [] : [other.node]));
    return sources.length === 0 || !roomy || spareMark === spareMarkFor(away)
      ? []
      : [{ kind: 'recopy', node, sources, away }];
  });
}

// Who is away for a moment may be back before his items are copied, and then others would have to be.
function standInFor(views: readonly NodeView[]): readonly NodeId[] {
  const silent = views.filter(({ reached }) => !reached);
  return silent.every(({ away }) => away) ? silent.map(({ node }) => node) : [];
}

/** What a node says that holds the copies of the nodes that are `away`. */
export function spareMarkFor(away: readonly NodeId[]): string {
  return `for ${[...away].sort().join(' ')}`;
}

/** Whether `node` keeps an item for nodes that are away: it is not one of its `holders`, but the next in line. */
export function keepsForOthers(
  node: NodeId,
  holders: readonly NodeId[],
  spares: readonly NodeId[],
  away: readonly NodeId[],
): boolean {
  const living = [...holders, ...spares].filter((one) => !away.includes(one));
  return spares.includes(node) && living.slice(0, holders.length).includes(node);
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

/**
 * Whether so many nodes are not filled that there may be items all of whose copies were on these: then what is filled from the
 * others is all that there is, and not all that there was.
 */
export function nobodyKeptAll(views: readonly NodeView[], copies: number): boolean {
  return views.filter(({ reached, filled }) => !reached || !filled).length >= Math.min(copies, views.length);
}

function isSuspected(node: NodeId, views: ReadonlyMap<NodeId, NodeView>): boolean {
  return [...views.values()].some(({ suspects }) => suspects.includes(node));
}
