/**
 * Notices what a process saw on the nodes and nobody has any more: where too many of them lost their memory at once, one did and
 * the others have been silent for so long that they are given up, or one did that alone had what others missed.
 */
import type { NodeId } from '../../common/node-address.js';
import { begunAnewAt } from '../copies/fill-marker.js';
import type { SessionsLost } from './resync-events.js';
import type { NodeView } from './resync-plan.js';

/** What is seen of a node besides its view. */
export interface WatchedView extends NodeView {
  /** Its marker; undefined for none. */
  readonly marker: string | undefined;
}

interface Known {
  marker: string;
  items: number;
  /** Whether its silence was told. */
  told: boolean;
  /** Nodes that missed writes which it took, as was known last; undefined since it was seen without the marker. */
  missers: readonly NodeId[] | undefined;
}

/** See the head of this file. */
export class LossWatch {
  readonly #known = new Map<NodeId, Known>();

  /**
   * @param changing whether the list of nodes changes: what a node holds is going to be somewhere else, and by the next list markers and
   * what others missed are written anew
   * @returns what is lost, as these looks show for the first time
   */
  look(views: readonly WatchedView[], copies: number, changing = false): readonly SessionsLost[] {
    if (changing) {
      for (const known of this.#known.values()) known.missers = undefined;
      return [];
    }
    return views.flatMap((view) => this.#one(view, views, copies) ?? []);
  }

  /** Writes that `node` took missed these, as this process knows before it looks at `node` again. */
  noted(node: NodeId, missers: readonly NodeId[]): void {
    const known = this.#known.get(node);
    if (known?.missers !== undefined) known.missers = [...new Set([...known.missers, ...missers])];
  }

  /** A node is no longer one of ours. */
  forget(node: NodeId): void {
    this.#known.delete(node);
  }

  #one(view: WatchedView, views: readonly WatchedView[], copies: number): SessionsLost | undefined {
    const { node, marker, items, away, suspects } = view;
    const known = this.#known.get(node);
    if (away && known !== undefined && !known.told && isMissing(view, views, copies)) {
      known.told = true;
      return { node, cause: 'silent', held: known.items, left: mostItems(views) };
    }
    const unmended = known === undefined ? [] : this.#unmended(known, view, views);
    if (marker !== undefined) {
      this.#known.set(node, { marker, items, told: false, missers: suspects });
      if (known !== undefined && known.marker !== marker && begunAnewAt(marker) !== undefined)
        return { node, cause: 'emptied', held: known.items, left: items };
    }
    if (known === undefined || unmended.length === 0) return undefined;
    return { node, cause: 'unmended', held: known.items, left: items, missedBy: unmended };
  }

  // What it lost with its notes is gone where nobody else took the same. A spare node that did says so itself.
  #unmended(known: Known, { node, reached, marker }: WatchedView, views: readonly NodeView[]): NodeId[] {
    if (!reached || marker === known.marker || known.missers === undefined) return [];
    const { missers } = known;
    known.missers = undefined;
    return missers.filter(
      (misser) =>
        views.some((view) => view.node === misser) &&
        !views.some(
          (view) => view.node !== node && view.reached && view.filled && view.suspects.includes(misser),
        ),
    );
  }
}

// Of what this node held nobody who answers is known to have everything.
function isMissing(view: NodeView, views: readonly NodeView[], copies: number): boolean {
  const unsure = views.filter(
    (other) => other !== view && (other.away || (other.reached && !isTrusted(other, views))),
  );
  return views.some(({ reached }) => reached) && unsure.length + 1 >= Math.min(copies, views.length);
}

function isTrusted({ node, filled }: NodeView, views: readonly NodeView[]): boolean {
  return filled && !views.some(({ suspects }) => suspects.includes(node));
}

function mostItems(views: readonly NodeView[]): number {
  return Math.max(0, ...views.map(({ items }) => items));
}
