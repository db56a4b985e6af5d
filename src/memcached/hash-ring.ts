/** Points on a ring of 32 bit numbers, each belonging to a node; a hash belongs to the next point. */

/** A point and the index of its node. */
export interface RingPoint {
  /** Where it is, 32 bit unsigned. */
  readonly value: number;
  /** The node's index. */
  readonly node: number;
}

/** Looks up points. */
export class HashRing {
  readonly #values: Uint32Array;
  readonly #nodes: Uint32Array;

  /** Sorts the points; of equal ones the earlier given comes first. */
  constructor(points: readonly RingPoint[]) {
    const sorted = points.toSorted((a, b) => a.value - b.value);
    this.#values = Uint32Array.from(sorted, (point) => point.value);
    this.#nodes = Uint32Array.from(sorted, (point) => point.node);
  }

  /** The node of the first point at or after `hash`, or of the very first point behind the last one. */
  nodeAt(hash: number): number {
    let low = 0;
    let high = this.#values.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#values[middle] ?? 0) < hash) low = middle + 1;
      else high = middle;
    }
    return this.#nodes[low === this.#values.length ? 0 : low] ?? 0;
  }
}
