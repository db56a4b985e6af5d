/** Who votes for the new primary so far, while the nodes are made to. */
import { pause } from '../../common/backoff.js';
import type { NodeId } from '../../common/node-address.js';
import { majorityOf } from '../protocol/majority.js';

const POLL_MS = 20;
/** Longer than any node takes to be made to follow, milliseconds. */
const LIMIT_MS = 60_000;

/** Counts votes; the new primary votes for itself. */
export class VotesGiven {
  readonly #to: NodeId;
  readonly #needed: number;
  readonly #voted = new Set<NodeId>();
  readonly #done = new Set<NodeId>();
  /** The nodes on which something of the phase is left to do. */
  busy: Set<NodeId | null> = new Set();

  /** Nobody of `voters` votes for `to` yet. */
  constructor(to: NodeId, voters: number) {
    this.#to = to;
    this.#needed = majorityOf(voters);
  }

  /** `node` votes for it, with something left to do there; whoever votes so, when they are a majority. */
  given(node: NodeId): readonly NodeId[] {
    return this.#add(this.#voted, node);
  }

  /** All is done on `node`; where that is so, when it is on a majority. */
  done(node: NodeId): readonly NodeId[] {
    return this.#add(this.#done, node);
  }

  /** Whoever votes for it. */
  get all(): ReadonlySet<NodeId> {
    return new Set([this.#to, ...this.#voted, ...this.#done]);
  }

  /** Waits until a majority does, or no other node but those of `left` is made to any more; whether a majority does. */
  async wait(left: ReadonlySet<NodeId>): Promise<boolean> {
    const until = performance.now() + LIMIT_MS;
    const isGoing = (node: NodeId | null): boolean => node !== null && node !== this.#to && !left.has(node);
    while (this.all.size < this.#needed && [...this.busy].some(isGoing) && performance.now() < until)
      await pause(POLL_MS);
    return this.all.size >= this.#needed;
  }

  #add(nodes: Set<NodeId>, node: NodeId): readonly NodeId[] {
    nodes.add(node).add(this.#to);
    return nodes.size < this.#needed ? [] : [...nodes];
  }
}
