/** The primary that the right to write was last for. */
import type { Clock } from '../../common/clock.js';
import type { NodeId } from '../../common/node-address.js';

/** Remembers it. */
export class LastLease {
  readonly #clock: Clock;
  #last: { readonly node: NodeId; readonly at: number } | undefined;

  /** Knows of none yet. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** There is a right to `node` now. */
  note(node: NodeId): void {
    this.#last = { node, at: this.#clock.now() };
  }

  /** The last one, and how many seconds ago it was there; undefined when there never was one. */
  get(): { readonly node: NodeId; readonly seenAgoS: number } | undefined {
    const last = this.#last;
    return last === undefined
      ? undefined
      : { node: last.node, seenAgoS: (this.#clock.now() - last.at) / 1_000 };
  }
}
