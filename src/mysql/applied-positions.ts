/** Which replicas are known to have a position: what the monitor saw, and what a wait has shown since. */
import type { NodeId } from '../common/node-address.js';
import {
  type GtidPosition,
  hasReached,
  positionReached,
  unitedPositions,
} from '../topology/gtid-position.js';
import type { NodeDescription } from '../topology/node-description.js';

interface Learnt {
  readonly position: GtidPosition;
  /** Monotonic milliseconds; a probe that began later knows it, too. */
  readonly at: number;
}

/** What is known of the replicas of one cluster, and how many statements wait on each of them. */
export class AppliedPositions {
  readonly #learnt = new Map<NodeId, Learnt>();
  readonly #waiting = new Map<NodeId, number>();
  readonly #waitLimit: number;

  /** At most `waitLimit` statements wait on one node at a time: each of them holds a connection. */
  constructor(waitLimit: number) {
    this.#waitLimit = waitLimit;
  }

  /** Whether `node` is known to have applied `wanted`. */
  has(node: NodeDescription, wanted: GtidPosition): boolean {
    if (node.state !== 'up' || hasBarrier(node)) return false;
    if (hasReached(node.facts, wanted)) return true;
    const learnt = this.#learnt.get(node.id);
    // A later look at the server knows more; it may even be another server by now.
    return learnt !== undefined && learnt.at > node.seenAt && positionReached(learnt.position, wanted);
  }

  /** Forgets what `node` was seen to have applied: it is another server now. */
  forget(node: NodeId): void {
    this.#learnt.delete(node);
  }

  /** Notes that `node` was seen to have applied `position`. */
  learn(node: NodeId, position: GtidPosition): void {
    const before = this.#learnt.get(node);
    const at = performance.now();
    // What was learnt long ago is no part of it: the node may have been set up anew since.
    const recent = before !== undefined && at - before.at < RECENT_MS ? before.position : undefined;
    const both = recent === undefined ? position : (unitedPositions(recent, position) ?? position);
    this.#learnt.set(node, { position: both, at });
  }

  /** Whether one more statement may wait on `node`. */
  mayWait(node: NodeId): boolean {
    return (this.#waiting.get(node) ?? 0) < this.#waitLimit;
  }

  /** A statement begins to wait on `node`; the returned function ends it. */
  beginWait(node: NodeId): () => void {
    this.#waiting.set(node, (this.#waiting.get(node) ?? 0) + 1);
    return () => this.#waiting.set(node, (this.#waiting.get(node) ?? 1) - 1);
  }
}

/** Waits that end so shortly after each other are about the same server. */
const RECENT_MS = 1_000;

/**
 * Whether the node has to be asked before every read that must see something: the members of a Galera cluster number their
 * transactions each for themselves, but each of them can wait until it has all that the others have.
 */
export function hasBarrier(node: NodeDescription): boolean {
  return node.state === 'up' && node.facts.group?.kind === 'galera';
}
