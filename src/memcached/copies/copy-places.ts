/** Which nodes an operation on an item goes to, and in which order. */
import type { NodeId } from '../../common/node-address.js';
import type { MemcachedNode } from '../memcached-node.js';
import type { CopyKey } from './copy-key.js';
import type { NodeStandings } from './node-standings.js';

/** See the head of this file. */
export class CopyPlaces {
  /** All nodes, in the order of PHP's `save_path`. */
  readonly nodes: readonly MemcachedNode[];
  /** How many copies there shall be. */
  readonly copies: number;
  readonly #place: (place: string) => readonly number[];
  readonly #standings: NodeStandings;

  /**
   * @param place all nodes of a key as indexes, in PHP's order: the first `copies` of them hold it
   * @param copies how many copies there shall be
   */
  constructor(
    nodes: readonly MemcachedNode[],
    place: (place: string) => readonly number[],
    copies: number,
    standings: NodeStandings,
  ) {
    this.nodes = nodes;
    this.copies = copies;
    this.#place = place;
    this.#standings = standings;
  }

  /** The nodes that hold the copies of a key, the deciding one first. */
  holders({ place }: CopyKey): readonly MemcachedNode[] {
    return this.#place(place)
      .slice(0, this.copies)
      .flatMap((index) => this.nodes[index] ?? []);
  }

  /** The nodes that take a copy when a holder cannot be reached, the first one first. */
  spares({ place }: CopyKey): readonly MemcachedNode[] {
    return this.#place(place)
      .slice(this.copies)
      .flatMap((index) => this.nodes[index] ?? []);
  }

  /**
   * The holders in the order in which they are asked to arbitrate: one that others cannot reach comes last, because they
   * ask somebody else; so does one that is known to be down.
   */
  arbiters(key: CopyKey): readonly MemcachedNode[] {
    const rank = (node: MemcachedNode): number =>
      (node.available ? 0 : 2) + (this.#standings.of(node.id) === 'suspect' ? 1 : 0);
    const holders = this.holders(key);
    return holders.some((node) => rank(node) > 0)
      ? [...holders].sort((one, other) => rank(one) - rank(other))
      : holders;
  }

  /** All nodes of a place as indexes, in PHP's order. */
  order(place: string): readonly number[] {
    return this.#place(place);
  }

  /** The node of that name. */
  node(id: NodeId): MemcachedNode | undefined {
    return this.nodes.find((node) => node.id === id);
  }
}
