/** The session lock as both PHP extensions take it, so that a PHP request and a Node save keep each other out. */
import { randomBytes } from 'node:crypto';
import { backoffMs, pause } from '../common/backoff.js';
import type { Deadline } from '../common/deadline.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { MemcachedNode } from '../memcached/memcached-node.js';
import type { CopyKey, ReplicatedCopies } from '../memcached/replicated-copies.js';

/** A lock that is held. */
export interface HeldLock {
  /** Gives the lock back; false when it was no longer ours (it expired, or PHP's unlock removed it). Never rejects. */
  release(): Promise<boolean>;
}

/** How one PHP extension locks. */
export interface LockProtocol {
  /** Tries once on one node: a way to unlock, or undefined when somebody else holds the lock. */
  tryLock(node: MemcachedNode, key: string): Promise<(() => Promise<boolean>) | undefined>;
}

/** How long a lock of ours lives when this process dies holding it, in seconds. */
export const LOCK_EXPIRE_SECONDS = 30;

/**
 * The lock of php-memcached: `add` of a key of its own, deleted at the end (php_memcached session handler, measured).
 * Ours holds an owner mark, expires, and is deleted only in the very version that we added.
 */
export const memcachedLock: LockProtocol = {
  async tryLock(node, key) {
    const owner = Buffer.from(`stormlamp-${process.pid}-${randomBytes(6).toString('hex')}`);
    const added = await node.add(key, owner, { exptime: LOCK_EXPIRE_SECONDS });
    if (added.status !== 'stored') return undefined;
    return async () => (await node.delete(key, { cas: added.cas })) === 'deleted';
  },
};

/** Seconds that pecl-memcache gives a lock (`memcache.lock_timeout`). */
const MEMCACHE_LOCK_SECONDS = 15;
/** Client flags that pecl-memcache stores with its lock: an integer. */
const MEMCACHE_LOCK_FLAGS = 768;

/** The lock of pecl-memcache: a counter that is 1 for the holder and set to 0 to unlock (memcache_session.c, measured). */
export const memcacheLock: LockProtocol = {
  async tryLock(node, key) {
    const count = await node.increment(key, 1n, { initial: 1n, exptime: MEMCACHE_LOCK_SECONDS });
    if (count !== 1n) return undefined;
    return async () => {
      const options = { exptime: MEMCACHE_LOCK_SECONDS, flags: MEMCACHE_LOCK_FLAGS };
      return (await node.set(key, Buffer.from('0'), options)).status === 'stored';
    };
  },
};

/** Takes session locks. */
export class SessionLocks {
  readonly #copies: ReplicatedCopies;
  readonly #protocol: LockProtocol;
  readonly #waitMs: number;

  /** @param waitMs how long a lock is waited for */
  constructor(copies: ReplicatedCopies, protocol: LockProtocol, waitMs: number) {
    this.#copies = copies;
    this.#protocol = protocol;
    this.#waitMs = waitMs;
  }

  /**
   * Waits for the lock at `key`, on the first node that holds it in PHP's order and can be reached.
   *
   * @throws StormlampError `ERR_SESSION_LOCKED` when somebody else keeps it, `ERR_STORE_DOWN`, `ERR_TIMEOUT`, `ERR_ABORTED`.
   */
  async acquire(key: CopyKey, deadline: Deadline): Promise<HeldLock> {
    const patience = deadline.within(this.#waitMs);
    for (let attempt = 0; ; attempt += 1) {
      const unlock = await this.#copies.onFirst(key, deadline, (node) =>
        this.#protocol.tryLock(node, key.key),
      );
      if (unlock !== undefined) return { release: () => unlock().catch(() => false) };
      deadline.check('Waiting for the session lock');
      if (patience.remainingMs() === 0) {
        throw new StormlampError(
          ErrorCode.SESSION_LOCKED,
          `Another request kept the session locked for ${this.#waitMs} ms; nothing was written. A PHP page holds the lock until it ends or calls session_write_close()`,
        );
      }
      await pause(
        Math.min(backoffMs(attempt, { firstMs: 4, maxMs: 100 }), patience.remainingMs()),
        deadline.signal,
      );
    }
  }
}
