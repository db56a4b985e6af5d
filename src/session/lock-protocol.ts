/** How each PHP extension locks a session on a memcached node. */
import { randomBytes } from 'node:crypto';
import type { BackoffOptions } from '../common/backoff.js';
import type { MemcachedNode } from '../memcached/memcached-node.js';

/** A lock that was taken on one node. */
export interface TakenLock {
  /** Gives it more time; false when it is no longer ours. */
  renew(): Promise<boolean>;
  /** Gives it back; false when it was no longer ours: it expired, or an unlock of PHP removed it. */
  release(): Promise<boolean>;
}

/** How one PHP extension locks. */
export interface LockProtocol {
  /**
   * How a lock is waited for: not more eagerly than PHP does it, because PHP gives up sooner and at a higher price
   * (a page without a session, or with pecl-memcache an empty session that is written over the stored one).
   */
  readonly wait: BackoffOptions;
  /** How often a lock that is held for long has to be renewed, in milliseconds. */
  readonly renewEveryMs: number;
  /** Tries once on one node; undefined when somebody else holds the lock. */
  tryLock(node: MemcachedNode, key: string): Promise<TakenLock | undefined>;
  /** The version (CAS id) of the lock that somebody else holds, where that tells one lock from the next; undefined when it is gone. */
  versionOf(node: MemcachedNode, key: string): Promise<bigint | undefined>;
}

/** How long a lock of ours lives when this process dies holding it, in seconds. */
const LOCK_EXPIRE_SECONDS = 30;

/**
 * The lock of php-memcached: `add` of a key of its own, deleted at the end (php_memcached session handler, measured).
 * Ours holds an owner mark, expires, and is renewed and deleted only in the very version that we stored.
 */
export const memcachedLock: LockProtocol = {
  wait: { firstMs: 4, maxMs: 150 },
  renewEveryMs: (LOCK_EXPIRE_SECONDS * 1_000) / 3,
  async tryLock(node, key) {
    const owner = Buffer.from(`stormlamp-${process.pid}-${randomBytes(6).toString('hex')}`);
    const added = await node.add(key, owner, { exptime: LOCK_EXPIRE_SECONDS });
    if (added.status !== 'stored') return undefined;
    let { cas } = added;
    return {
      async renew() {
        const renewed = await node.set(key, owner, { exptime: LOCK_EXPIRE_SECONDS, cas });
        if (renewed.status !== 'stored') return false;
        cas = renewed.cas;
        return true;
      },
      release: async () => (await node.delete(key, { cas })) === 'deleted',
    };
  },
  versionOf: async (node, key) => (await node.get(key))?.cas,
};

/** Seconds that pecl-memcache gives a lock (`memcache.lock_timeout`). */
const MEMCACHE_LOCK_SECONDS = 15;
/** Client flags that pecl-memcache stores with its lock: an integer. */
const MEMCACHE_LOCK_FLAGS = 768;

/**
 * The lock of pecl-memcache: a counter that is 1 for the holder and set to 0 to unlock (memcache_session.c, measured).
 * It has no owner, and counting does not renew it: it expires 15 seconds after the last unlock, held or not, so that ours
 * is renewed as soon as it is taken.
 */
export const memcacheLock: LockProtocol = {
  wait: { firstMs: 5, maxMs: 1_000 },
  renewEveryMs: (MEMCACHE_LOCK_SECONDS * 1_000) / 3,
  async tryLock(node, key) {
    const count = await node.increment(key, 1n, { initial: 1n, exptime: MEMCACHE_LOCK_SECONDS });
    if (count !== 1n) return undefined;
    const renew = async (): Promise<boolean> => (await node.touch(key, MEMCACHE_LOCK_SECONDS)) === 'touched';
    // Not waited for: every round trip with the lock held is one that a waiting PHP page pays for.
    const renewed = renew().catch(() => false);
    return {
      renew,
      async release() {
        await renewed;
        // Where the lock was lost, setting it to 0 once more changes nothing, so the answer to the first need not be waited for.
        const options = { exptime: MEMCACHE_LOCK_SECONDS, flags: MEMCACHE_LOCK_FLAGS };
        const [held, set] = await Promise.all([node.get(key), node.set(key, Buffer.from('0'), options)]);
        const ours = held !== null && held.value.toString('latin1').trim() !== '0';
        return ours && set.status === 'stored';
      },
    };
  },
  // Everybody who waits counts it up, so its version says nothing; it always expires.
  versionOf: async () => undefined,
};
