/** What this process knows about the trustworthiness of each node: whether it is filled, and whether it missed writes. */
import type { NodeId } from '../../common/node-address.js';

/**
 * `filled`: the node holds what it shall hold, so that a miss is a miss. `suspect`: it is filled, and writes missed it.
 * `warming`: it came back empty, or nobody said yet that it is filled.
 */
export type NodeStanding = 'filled' | 'suspect' | 'warming';

interface Knowledge {
  marker: string | undefined;
  /** Since when it has not answered; undefined while it does. */
  silentSince: number | undefined;
  /** Who says that the node missed writes, and since when; 0 for what was read from him. */
  readonly suspectedBy: Map<NodeId, number>;
}

/** Learns from looks at the nodes; free to ask. */
export class NodeStandings {
  readonly #known = new Map<NodeId, Knowledge>();
  readonly #onChange: (node: NodeId, before: NodeStanding, after: NodeStanding) => void;

  /** @param onChange told of every change of a standing */
  constructor(onChange: (node: NodeId, before: NodeStanding, after: NodeStanding) => void = () => undefined) {
    this.#onChange = onChange;
  }

  /** The standing of a node; one that was never looked at is warming. */
  of(node: NodeId): NodeStanding {
    const known = this.#known.get(node);
    if (known?.marker === undefined) return 'warming';
    return known.suspectedBy.size > 0 ? 'suspect' : 'filled';
  }

  /** The text of the marker that the node had when it was looked at last; undefined for none. */
  markerOf(node: NodeId): string | undefined {
    return this.#known.get(node)?.marker;
  }

  /** The node's marker is `marker` now; undefined for none. */
  learnMarker(node: NodeId, marker: string | undefined): void {
    this.#change(node, (known) => {
      known.marker = marker;
    });
  }

  /** The node was looked at, and answered or did not. */
  learnAnswer(node: NodeId, answered: boolean, now: number): void {
    this.#change(node, (known) => {
      known.silentSince = answered ? undefined : (known.silentSince ?? now);
    });
  }

  /** For how long the node has not answered whoever looks at it, in milliseconds; 0 while it does. */
  silentMs(node: NodeId, now: number): number {
    const since = this.#known.get(node)?.silentSince;
    return since === undefined ? 0 : now - since;
  }

  /**
   * `reporter` says that exactly `suspects`, of all `nodes`, missed writes. What this process has found since he was asked, at `askedAt`,
   * he could not know.
   */
  learnSuspects(
    reporter: NodeId,
    suspects: ReadonlySet<NodeId>,
    nodes: readonly NodeId[],
    askedAt: number = Number.POSITIVE_INFINITY,
  ): void {
    for (const node of nodes) {
      if (node === reporter) continue;
      this.#change(node, ({ suspectedBy }) => {
        const since = suspectedBy.get(reporter) ?? 0;
        if (suspects.has(node)) suspectedBy.set(reporter, since);
        else if (since < askedAt) suspectedBy.delete(reporter);
      });
    }
  }

  /** The nodes that missed writes which `reporter` took. */
  suspectsOf(reporter: NodeId): readonly NodeId[] {
    return [...this.#known].flatMap(([node, { suspectedBy }]) => (suspectedBy.has(reporter) ? [node] : []));
  }

  /** `reporter` holds a write now that `node` missed. */
  suspect(node: NodeId, reporter: NodeId): void {
    this.#change(node, ({ suspectedBy }) => suspectedBy.set(reporter, performance.now()));
  }

  /** A node is no longer one of ours: what it said about others counts no more. */
  forget(node: NodeId): void {
    this.#known.delete(node);
    for (const other of this.#known.keys())
      this.#change(other, ({ suspectedBy }) => suspectedBy.delete(node));
  }

  #change(node: NodeId, change: (known: Knowledge) => void): void {
    let known = this.#known.get(node);
    if (known === undefined) {
      known = { marker: undefined, silentSince: undefined, suspectedBy: new Map() };
      this.#known.set(node, known);
    }
    const before = this.of(node);
    change(known);
    const after = this.of(node);
    if (before !== after) this.#onChange(node, before, after);
  }
}
