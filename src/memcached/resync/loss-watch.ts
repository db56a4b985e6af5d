/**
 * Notices what a process saw on the nodes and nobody has any more: where too many of them lost their memory at once, or one did and
 * the others have been silent for so long that they are given up.
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
}

/** See the head of this file. */
export class LossWatch {
  readonly #known = new Map<NodeId, Known>();

  /** @returns what is lost, as these looks show for the first time */
  look(views: readonly WatchedView[], copies: number): readonly SessionsLost[] {
    return views.flatMap((view) => this.#one(view, views, copies) ?? []);
  }

  /** A node is no longer one of ours. */
  forget(node: NodeId): void {
    this.#known.delete(node);
  }

  #one(view: WatchedView, views: readonly WatchedView[], copies: number): SessionsLost | undefined {
    const { node, marker, items, away } = view;
    const known = this.#known.get(node);
    if (away && known !== undefined && !known.told && isMissing(view, views, copies)) {
      known.told = true;
      return { node, cause: 'silent', held: known.items, left: mostItems(views) };
    }
    if (marker === undefined) return undefined;
    this.#known.set(node, { marker, items, told: false });
    if (known === undefined || known.marker === marker || begunAnewAt(marker) === undefined) return undefined;
    return { node, cause: 'emptied', held: known.items, left: items };
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
