/** The session lock as both PHP extensions take it, so that a PHP request and a Node save keep each other out. */
import { backoffMs, pause } from '../common/backoff.js';
import { type Clock, systemClock } from '../common/clock.js';
import type { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { copyHash } from '../memcached/copies/copy-hash.js';
import type { CopyKey } from '../memcached/copies/copy-key.js';
import type { ReplicatedCopies } from '../memcached/copies/replicated-copies.js';
import { takeOnNodes } from '../memcached/copies/take-on-nodes.js';
import type { MemcachedNode } from '../memcached/memcached-node.js';
import { HeldLock, HeldLocks } from './held-lock.js';
import type { LockProtocol, TakenLock } from './lock-protocol.js';
import { LockSightings } from './lock-sightings.js';

/** How locks are waited for. */
export interface SessionLockOptions {
  /** How the PHP extension locks. */
  readonly protocol: LockProtocol;
  /** How long a lock is waited for, in milliseconds. */
  readonly waitMs: number;
  /** How long one and the same lock must have been there before it counts as left behind, in milliseconds; 0 breaks none. */
  readonly breakMs: number;
  /**
   * Whether a lock on a node ends by itself, and so is left alone however old it is; false also where the node cannot tell, undefined
   * where it does not answer now.
   */
  readonly endsByItself: (node: NodeId, key: string, deadline: Deadline) => Promise<boolean | undefined>;
  /** Told of a lock that was broken. */
  readonly onBroken: (broken: { readonly node: NodeId; readonly heldMs: number }) => void;
  /** Told of a lock that was no longer ours. */
  readonly onLost: (lost: { readonly node: NodeId }) => void;
  /** The time. */
  readonly clock?: Clock;
}

/** How often the lock of somebody else is looked at while it is waited for. */
const LOOK_EVERY_MS = 1_000;

/** Takes session locks. */
export class SessionLocks {
  readonly #copies: ReplicatedCopies;
  readonly #options: SessionLockOptions;
  readonly #clock: Clock;
  readonly #sightings = new LockSightings();
  readonly #held = new Set<HeldLock>();

  /** @param copies where locks are */
  constructor(copies: ReplicatedCopies, options: SessionLockOptions) {
    this.#copies = copies;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Waits for the lock at `key`, on the first node in PHP's order that can be reached; also on the other ones while not every node is
   * known to be complete, see {@link takeOnNodes}.
   *
   * A lock without expiry, which a killed PHP process leaves behind, is broken once it has been the very same item for
   * `breakMs`: by deleting that version of it, so that a lock that was taken since is never hit. One with an expiry may be that of a
   * page at work, and is not.
   *
   * @throws StormlampError `ERR_SESSION_LOCKED` when somebody else keeps it, `ERR_STORE_DOWN`, `ERR_TIMEOUT`, `ERR_ABORTED`.
   */
  async acquire(key: CopyKey, deadline: Deadline): Promise<HeldLocks> {
    const held = new Map<NodeId, HeldLock>();
    try {
      await this.#wait(key, deadline, held);
    } catch (error) {
      await Promise.all(Array.from(held.values(), (lock) => lock.release()));
      throw error;
    }
    return new HeldLocks([...held.values()]);
  }

  async #wait(key: CopyKey, deadline: Deadline, held: Map<NodeId, HeldLock>): Promise<void> {
    const { protocol, waitMs, breakMs } = this.#options;
    const patience = deadline.within(waitMs);
    let lookAt = this.#clock.now();
    for (let attempt = 0; ; attempt += 1) {
      const look = this.#clock.now() >= lookAt;
      if (look) lookAt += breakMs === 0 ? LOOK_EVERY_MS : Math.min(LOOK_EVERY_MS, breakMs / 2);
      const take = (node: MemcachedNode) => this.#tryOn(node, key, look, deadline);
      if (await takeOnNodes(this.#copies.places, { key, held, take, every: protocol.every }, deadline))
        return;
      deadline.check('Waiting for the session lock');
      if (patience.remainingMs() === 0) {
        throw new StormlampError(
          ErrorCode.SESSION_LOCKED,
          `Another request kept the session locked for ${waitMs} ms; nothing was written. A PHP page holds the lock until it ends or calls session_write_close()`,
        );
      }
      // What is held on one node while another one is waited for must not run out.
      for (const lock of held.values()) lock.keep();
      await pause(Math.min(backoffMs(attempt, protocol.wait), patience.remainingMs()), deadline.signal);
    }
  }

  /** Gives back every lock that is held. */
  async releaseAll(): Promise<void> {
    await Promise.all([...this.#held].map((lock) => lock.release()));
  }

  async #tryOn(
    node: MemcachedNode,
    key: CopyKey,
    look: boolean,
    deadline: Deadline,
  ): Promise<HeldLock | undefined> {
    const { protocol } = this.#options;
    try {
      const taken = await protocol.tryLock(node, key.key);
      if (taken !== undefined) return this.#hold(node, taken);
      if (!look) return undefined;
      if (
        !(await this.#breakStale(node, key.key, deadline)) &&
        !(await this.#removeGivenBack(node, key, deadline))
      )
        return undefined;
      const freed = await protocol.tryLock(node, key.key);
      return freed === undefined ? undefined : this.#hold(node, freed);
    } catch (error) {
      // The node may have started anew, and count its versions from the beginning.
      this.#sightings.forget(`${node.id} `);
      throw error;
    }
  }

  async #breakStale(node: MemcachedNode, key: string, deadline: Deadline): Promise<boolean> {
    const { protocol, breakMs, endsByItself, onBroken } = this.#options;
    if (breakMs === 0) return false;
    const version = await protocol.versionOf(node, key);
    const place = `${node.id} ${key}`;
    const heldMs = this.#sightings.heldMs(place, version, this.#clock.now());
    if (version === undefined || heldMs < breakMs) return false;
    const ends = await endsByItself(node.id, key, deadline);
    // It is asked about again when it has been there for as long once more.
    if (ends === true) this.#sightings.forget(place);
    if (ends !== false) return false;
    if ((await node.delete(key, { cas: version })) !== 'deleted') return false;
    onBroken({ node: node.id, heldMs });
    return true;
  }

  // A node that could not be reached when a gateway gave its lock back still has it. A note on another one calls it old.
  async #removeGivenBack(node: MemcachedNode, key: CopyKey, deadline: Deadline): Promise<boolean> {
    if (this.#copies.places.isSettled(key)) return false;
    const { seen } = await this.#copies.look(key, deadline);
    const here = seen.find((copy) => copy.node === node.id);
    if (here?.reached !== true || here.item === null) return false;
    const hash = copyHash(here.item);
    const isOld = seen.some(
      (copy) =>
        copy.reached &&
        copy.item !== null &&
        copy.hint?.note.missed.get(node.id)?.superseded.includes(hash) === true,
    );
    return isOld && (await node.delete(key.key, { cas: here.item.cas })) === 'deleted';
  }

  #hold(node: MemcachedNode, taken: TakenLock): HeldLock {
    const { protocol, onLost } = this.#options;
    const lock = new HeldLock(taken, {
      renewEveryMs: protocol.renewEveryMs,
      onLost: () => onLost({ node: node.id }),
      onReleased: () => this.#held.delete(lock),
    });
    this.#held.add(lock);
    return lock;
  }
}
