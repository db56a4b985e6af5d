/**
 * The session locks that each client of a gateway took and has not given back, by the mark that tells one lock from the next, and
 * what was seen of the session that it read under one.
 */
import type { NodeId } from '../common/node-address.js';
import type { CopiesSeen } from '../memcached/copies/commit-copies.js';

/** A lock that a client took. */
export interface TakenLock {
  /** What is stored for it. */
  readonly value: Buffer;
  /** When it expires, as memcached takes it. */
  readonly exptime: number;
  /** The numbers that the nodes gave to its copies, where they are known. */
  readonly versions?: ReadonlyMap<NodeId, bigint>;
}

interface Client {
  readonly locks: Map<string, TakenLock>;
  looked: { readonly key: string; readonly seen: CopiesSeen } | undefined;
}

/** A client that never gives back what it took is forgotten bit by bit. */
const MAX_LOCKS = 1_000;
const MAX_LEFT = 10_000;

/** See the head of this file. */
export class ClientLocks {
  readonly #clients = new WeakMap<object, Client>();
  readonly #hungUp = new WeakSet<object>();
  /** Locks of clients that went away without giving them back. */
  readonly #left = new Map<string, TakenLock>();

  /** `client` has the lock `key` now. */
  took(client: object, key: string, lock: TakenLock): void {
    let known = this.#clients.get(client);
    if (known === undefined) {
      known = { locks: new Map(), looked: undefined };
      this.#clients.set(client, known);
    }
    const { locks } = known;
    locks.delete(key);
    locks.set(key, lock);
    const [oldest] = locks.keys();
    if (locks.size > MAX_LOCKS && oldest !== undefined) locks.delete(oldest);
  }

  /**
   * `client` gives the lock `key` back.
   *
   * @returns the lock, also one that a client which went away had left: PHP gives it back over another connection; `'not held'` when this client takes locks and does not have this one; undefined for a client that
   * never took any, who may have taken it over another connection
   */
  gaveBack(client: object, key: string): TakenLock | 'not held' | undefined {
    const known = this.#clients.get(client);
    if (known === undefined) return undefined;
    known.looked = undefined;
    const lock = known.locks.get(key) ?? this.#left.get(key);
    known.locks.delete(key);
    this.#left.delete(key);
    return lock ?? 'not held';
  }

  /** `client` sends no more: it could not give back what it takes now. */
  hungUp(client: object): void {
    this.#hungUp.add(client);
  }

  /** Whether `client` can still give a lock back. */
  isThere(client: object): boolean {
    return !this.#hungUp.has(client);
  }

  /** `client` went away. */
  gone(client: object): void {
    for (const [key, lock] of this.#clients.get(client)?.locks ?? []) {
      const [oldest] = this.#left.keys();
      if (this.#left.size >= MAX_LEFT && oldest !== undefined) this.#left.delete(oldest);
      this.#left.set(key, lock);
    }
    this.#clients.delete(client);
  }

  /** Whether `client` has any lock: what it reads now it is likely to write soon. */
  holdsAny(client: object): boolean {
    const known = this.#clients.get(client);
    return known !== undefined && known.locks.size > 0;
  }

  /** `client`, which holds a lock, was shown the item `key` as it was `seen` on its nodes. */
  looked(client: object, key: string, seen: CopiesSeen): void {
    const known = this.#clients.get(client);
    if (known !== undefined) known.looked = { key, seen };
  }

  /** What was seen of the item `key` when `client` was shown it last; once, and forgotten for any other item. */
  takeLook(client: object, key: string): CopiesSeen | undefined {
    const known = this.#clients.get(client);
    const looked = known?.looked;
    if (known === undefined || looked === undefined) return undefined;
    known.looked = undefined;
    return looked.key === key ? looked.seen : undefined;
  }
}
