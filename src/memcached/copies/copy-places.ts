/** Which nodes an operation on an item goes to, and in which order. */
import type { NodeId } from '../../common/node-address.js';
import type { MemcachedNode } from '../memcached-node.js';
import type { CopyKey } from './copy-key.js';
import type { NodeStandings } from './node-standings.js';
import { listReplaced, type ReplacedList } from './replaced-list.js';

/** One list of nodes, and how items are spread over it. */
export interface NodeList {
  /** The nodes, in the order of PHP's `save_path`. */
  readonly nodes: readonly MemcachedNode[];
  /** All nodes of a place as indexes, in PHP's order: the first ones hold the item. */
  readonly place: (place: string) => readonly number[];
  /** The name of this list and this way to spread keys; see `ringId`. */
  readonly ring: string;
}

const NO_NODES: readonly MemcachedNode[] = [];

/** See the head of this file. */
export class CopyPlaces {
  /** How many copies there shall be. */
  readonly copies: number;
  readonly #standings: NodeStandings;
  #list: NodeList;
  #other: NodeList | undefined;
  #otherIsNext = false;
  #nodes: readonly MemcachedNode[];
  /** The holders of each order of nodes: a placement that has few orders gives the same list for the same order. */
  #held = new WeakMap<readonly number[], Held>();
  /** What nodes said, when they were asked last, of a list that decided then. */
  readonly #replaced = new Map<NodeId, ReplacedList>();

  /**
   * @param list the nodes
   * @param copies how many copies there shall be
   */
  constructor(list: NodeList, copies: number, standings: NodeStandings) {
    this.#list = list;
    this.#nodes = list.nodes;
    this.copies = copies;
    this.#standings = standings;
  }

  /** All nodes: those of the list in the order of PHP's `save_path`, then those of the other list. */
  get nodes(): readonly MemcachedNode[] {
    return this.#nodes;
  }

  /** The name of the list that decides. */
  get ring(): string {
    return this.#list.ring;
  }

  /** The list that decides. */
  get list(): NodeList {
    return this.#list;
  }

  /** The list that takes every write besides, while nodes are added or removed. */
  get other(): NodeList | undefined {
    return this.#other;
  }

  /**
   * From now on `list` decides, and the nodes of `other` take every write, too.
   *
   * @param next whether `other` is the list that is about to decide; else it is the one that did before
   */
  relist(list: NodeList, other?: NodeList, next = false): void {
    this.#list = list;
    this.#other = other;
    this.#otherIsNext = next;
    this.#held = new WeakMap();
    this.#nodes = [...new Set([...list.nodes, ...(other?.nodes ?? [])])];
  }

  /** A node says, or does not say, that another list took the place of the one that it was asked about. */
  learnReplaced(node: NodeId, said: ReplacedList | undefined): void {
    if (said === undefined) this.#replaced.delete(node);
    else this.#replaced.set(node, said);
  }

  /** What took the place of the list that decides here; undefined while that is kept, as far as this process knows. */
  get replacement(): ReplacedList | undefined {
    if (this.#replaced.size === 0) return undefined;
    // A node of the other list may say so of an earlier change: it need not have heard that this one decides again.
    return this.#list.nodes
      .map(({ id }) => this.#replaced.get(id))
      .find((said) => said !== undefined && said.ring === this.ring);
  }

  /** @throws StormlampError `ERR_CHANGE_REFUSED` when another list took the place of the one that decides here. */
  assertKept(): void {
    const { replacement } = this;
    if (replacement !== undefined) throw listReplaced(replacement);
  }

  /** The nodes that hold the copies of a key, the deciding one first. */
  holders({ place }: CopyKey): readonly MemcachedNode[] {
    return this.#heldBy(this.#list, place);
  }

  /** Nodes that hold a copy by the other list only: they take every write, and decide nothing. */
  joint(key: CopyKey): readonly MemcachedNode[] {
    if (this.#other === undefined) return NO_NODES;
    const holders = this.holders(key);
    return this.otherHolders(key).filter((node) => !holders.includes(node));
  }

  /** The nodes that hold the copies of a key by the other list, the one that decides there first; none while nodes do not change. */
  otherHolders({ place }: CopyKey): readonly MemcachedNode[] {
    return this.#other === undefined ? NO_NODES : this.#heldBy(this.#other, place);
  }

  /** The node that decides about a key by the list that is about to decide, and the name of that list; undefined for none. */
  successor(key: CopyKey): { readonly node: MemcachedNode; readonly ring: string } | undefined {
    if (this.#other === undefined || !this.#otherIsNext) return undefined;
    const [node] = this.otherHolders(key);
    return node === undefined ? undefined : { node, ring: this.#other.ring };
  }

  /** Of the nodes that took something those that are asked by whoever goes by the deciding list alone. */
  listed(key: CopyKey, took: readonly NodeId[]): readonly NodeId[] {
    const joint = this.joint(key);
    return joint.length === 0 ? took : took.filter((id) => !joint.some((node) => node.id === id));
  }

  /** The nodes that take a copy when a holder cannot be reached, the first one first. */
  spares(key: CopyKey): readonly MemcachedNode[] {
    const { nodes, place } = this.#list;
    if (this.#other === undefined && nodes.length <= this.copies) return NO_NODES;
    const rest = place(key.place)
      .slice(this.copies)
      .flatMap((index) => nodes[index] ?? []);
    if (this.#other === undefined) return rest;
    const taken = [...this.holders(key), ...this.joint(key)];
    return [...new Set([...rest, ...this.#nodes])].filter((node) => !taken.includes(node));
  }

  /** Whether every holder is there, complete, and missed nothing, as far as this process knows. */
  isSettled(key: CopyKey): boolean {
    if (this.#other !== undefined) return false;
    return this.holders(key).every((node) => node.available && this.#standings.of(node.id) === 'filled');
  }

  /** The holders in the order in which one of them is asked: one that others cannot reach comes last, because they ask somebody else. */
  arbiters(key: CopyKey): readonly MemcachedNode[] {
    const rank = (node: MemcachedNode): number =>
      (node.available ? 0 : 2) + (this.#standings.of(node.id) === 'suspect' ? 1 : 0);
    const holders = this.holders(key);
    return this.isSettled(key) ? holders : [...holders].sort((one, other) => rank(one) - rank(other));
  }

  /**
   * All holders by either list, in the same order for everybody, whichever list he goes by: so two who take a lock on several of them
   * never wait for each other.
   */
  inOneOrder(key: CopyKey): readonly MemcachedNode[] {
    return [...this.holders(key), ...this.joint(key)].sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  /** A name for the order of nodes of a place: items of the same name are on the same nodes. */
  order(place: string): string {
    const other = this.#other === undefined ? '' : `/${this.#other.place(place).join()}`;
    return this.#list.place(place).join() + other;
  }

  /** Whether a node is in the list that decides. */
  isListed(id: NodeId): boolean {
    return this.#list.nodes.some((node) => node.id === id);
  }

  /** The node of that name. */
  node(id: NodeId): MemcachedNode | undefined {
    return this.#nodes.find((node) => node.id === id);
  }

  #heldBy(list: NodeList, text: string): readonly MemcachedNode[] {
    const order = list.place(text);
    const known = this.#held.get(order);
    if (known?.list === list) return known.nodes;
    const nodes = order.slice(0, this.copies).flatMap((index) => list.nodes[index] ?? []);
    this.#held.set(order, { list, nodes });
    return nodes;
  }
}

interface Held {
  readonly list: NodeList;
  readonly nodes: readonly MemcachedNode[];
}
