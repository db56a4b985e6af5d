/** The session locks that each client of a gateway took and has not given back, by the mark that tells one lock from the next. */

/** A lock that a client took. */
export interface TakenLock {
  /** What is stored for it. */
  readonly value: Buffer;
  /** When it expires, as memcached takes it. */
  readonly exptime: number;
}

/** A client that never gives back what it took is forgotten bit by bit. */
const MAX_LOCKS = 1_000;

/** See the head of this file. */
export class ClientLocks {
  readonly #taken = new WeakMap<object, Map<string, TakenLock>>();

  /** `client` has the lock `key` now. */
  took(client: object, key: string, lock: TakenLock): void {
    let locks = this.#taken.get(client);
    if (locks === undefined) {
      locks = new Map();
      this.#taken.set(client, locks);
    }
    locks.delete(key);
    locks.set(key, lock);
    const [oldest] = locks.keys();
    if (locks.size > MAX_LOCKS && oldest !== undefined) locks.delete(oldest);
  }

  /**
   * `client` gives the lock `key` back.
   *
   * @returns the lock; `'not held'` when this client takes locks and does not have this one; undefined for a client that
   * never took any, who may have taken it over another connection
   */
  gaveBack(client: object, key: string): TakenLock | 'not held' | undefined {
    const locks = this.#taken.get(client);
    if (locks === undefined) return undefined;
    const lock = locks.get(key);
    locks.delete(key);
    return lock ?? 'not held';
  }
}
