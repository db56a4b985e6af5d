/** How each PHP extension locks a session on a memcached node. */
import { randomBytes, randomInt } from 'node:crypto';
import type { BackoffOptions } from '../common/backoff.js';
import { type Clock, systemClock } from '../common/clock.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type { NewContent } from '../memcached/copies/write-under-way.js';
import type { MemcachedNode } from '../memcached/memcached-node.js';
import { releasedLockOf } from './released-lock.js';
import { giveBackStray } from './stray-lock.js';

/** A lock that was taken on one node. */
export interface TakenLock {
  /** Gives it more time; false when it is no longer ours. */
  renew(): Promise<boolean>;
  /** Gives it back; false when it may not have been ours any more: it expired, or an unlock of PHP removed it. */
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
  /**
   * Whether it can be held on several nodes at once. A count cannot: who waits for it through the gateway counts it on one node, and the
   * gateway carries that to the others, over what their holder knows it by.
   */
  readonly every: boolean;
  /** Tries once on one node; undefined when somebody else holds the lock. */
  tryLock(node: MemcachedNode, key: string): Promise<TakenLock | undefined>;
  /** The version (CAS id) of the lock that somebody else holds, where that tells one lock from the next; undefined when it is gone. */
  versionOf(node: MemcachedNode, key: string): Promise<bigint | undefined>;
}

/**
 * The lock of php-memcached: `add` of a key of its own, deleted at the end (php_memcached session handler, measured).
 * Ours holds an owner mark, expires, and is renewed and deleted only in the very version that we stored.
 *
 * @param lifeMs how long a lock of ours lives when this process dies holding it
 */
export function memcachedLock(lifeMs: number): LockProtocol {
  const exptime = Math.ceil(lifeMs / 1_000);
  // Nobody else has this name, and nobody has to guess the number: asking for random bytes costs more than the rest of a lock.
  const owners = `stormlamp-${process.pid}-${randomBytes(6).toString('hex')}`;
  let locks = 0;
  return {
    wait: { firstMs: 4, maxMs: 150 },
    renewEveryMs: lifeMs / 3,
    every: true,
    async tryLock(node, key) {
      locks += 1;
      const owner = Buffer.from(`${owners}-${locks}`);
      let left: NewContent | undefined;
      const giveBack = async (cas: bigint): Promise<boolean> => {
        if (left === undefined) return (await node.delete(key, { cas })) === 'deleted';
        return (await node.set(key, left.value, { exptime: left.exptime, cas })).status === 'stored';
      };
      const seek = (): void =>
        void giveBackStray({
          node,
          key,
          lifeMs,
          isOurs: (value) => value.equals(owner),
          giveBack: ({ cas }) => giveBack(cas),
        });
      const unanswered = (error: unknown): never => {
        seek();
        throw error;
      };
      const unlessUnsent = (error: unknown): never => {
        // An open breaker sends nothing.
        if (isStormlampError(error, ErrorCode.BREAKER_OPEN)) throw error;
        return unanswered(error);
      };
      let taken = await node.add(key, owner, { exptime }).catch(unlessUnsent);
      if (taken.status === 'exists') {
        const there = await node.get(key);
        left = there === null ? undefined : releasedLockOf(there.value);
        if (there !== null && left !== undefined)
          taken = await node.set(key, owner, { exptime, cas: there.cas }).catch(unlessUnsent);
      }
      if (taken.status !== 'stored') return undefined;
      let { cas } = taken;
      if (cas === 0n) {
        // By its version it could not be given back, and would be there until it ends.
        await node.delete(key).catch(() => undefined);
        throw withoutVersions(node);
      }
      let isRenewed = true;
      return {
        async renew() {
          // One that nobody heard of made another version of it, if the node took it.
          const isHeard = isRenewed;
          isRenewed = false;
          let renewed = await node.set(key, owner, { exptime, cas });
          const there = renewed.status === 'stored' || isHeard ? null : await node.get(key);
          if (there?.value.equals(owner) === true)
            renewed = await node.set(key, owner, { exptime, cas: there.cas });
          isRenewed = true;
          if (renewed.status !== 'stored') return false;
          cas = renewed.cas;
          return true;
        },
        async release() {
          const isGivenBack = await giveBack(cas).catch(unanswered);
          // A renewal that nobody heard of made another version of it.
          if (!isGivenBack && !isRenewed) seek();
          return isGivenBack;
        },
      };
    },
    versionOf: async (node, key) => (await node.get(key))?.cas,
  };
}

function withoutVersions({ id }: MemcachedNode): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    `memcached ${id} gives its items no versions to compare, by which session locks are given back; start it without -C`,
    { node: id },
  );
}

/** Client flags that pecl-memcache stores with its lock: an integer. */
const MEMCACHE_LOCK_FLAGS = 768;
/** memcached's clock has seconds: an item may be gone that much before its time. */
const CLOCK_STEP_MS = 1_000;
const UNLOCKED = Buffer.from('0');
/** So often waiters may count while we unlock, before we unlock whatever they do. */
const UNLOCK_ATTEMPTS = 8;
/** More waiters than can count a lock up while it is held. */
const MOST_WAITERS = 2n ** 24n;

/**
 * The lock of pecl-memcache: a counter that is 1 for the holder and set to 0 to unlock (memcache_session.c, measured).
 * Counting does not renew it: it expires `memcache.lock_timeout` after the last unlock, held or not, and PHP's lock has no owner.
 *
 * Ours has: as soon as it is taken, the count is set to a number of our own, which also renews it. PHP counts on from there
 * and waits, since only 1 makes it the holder.
 *
 * @param lifeMs PHP's `memcache.lock_timeout`
 */
export function memcacheLock(lifeMs: number, clock: Clock = systemClock): LockProtocol {
  const exptime = Math.ceil(lifeMs / 1_000);
  return {
    wait: { firstMs: 5, maxMs: 1_000 },
    renewEveryMs: lifeMs / 3,
    every: false,
    async tryLock(node, key) {
      const asked = clock.now();
      const count = await node.increment(key, 1n, { initial: 1n, exptime });
      // Whoever was held up for that long may have the answer about a lock that somebody else took since.
      if (count !== 1n || clock.now() - asked > Math.max(lifeMs / 2, lifeMs - CLOCK_STEP_MS))
        return undefined;
      const mark = BigInt(randomInt(1, 2 ** 28)) * MOST_WAITERS;
      const surelyOurs = asked + lifeMs - CLOCK_STEP_MS;
      const flags = MEMCACHE_LOCK_FLAGS;
      // Not waited for: every round trip with the lock held is one that a waiting PHP page pays for.
      const marked = node
        .set(key, Buffer.from(String(mark)), { exptime, flags })
        // Where it arrived late, it may have taken the lock from somebody else, who does not know.
        .then((set) => (set.status === 'stored' && clock.now() < surelyOurs ? set.cas : undefined))
        .catch(() => undefined);
      const versionOfOurs = async (): Promise<bigint | undefined> => {
        const item = await node.get(key);
        return item !== null && isCountedFrom(mark, item.value) ? item.cas : undefined;
      };
      const unlock = async (version: { readonly cas?: bigint }): Promise<boolean> =>
        (await node.set(key, UNLOCKED, { exptime, flags, ...version })).status === 'stored';
      return {
        async renew() {
          if ((await marked) === undefined || (await versionOfOurs()) === undefined) return false;
          return (await node.touch(key, exptime)) === 'touched';
        },
        async release() {
          const atMark = await marked;
          try {
            // Whoever waits counts it up, and makes a new version of it.
            let version = atMark ?? (await versionOfOurs());
            for (let attempt = 1; version !== undefined; attempt += 1) {
              const cas = attempt > UNLOCK_ATTEMPTS ? {} : { cas: version };
              if (await unlock(cas)) return atMark !== undefined;
              version = await versionOfOurs();
            }
            return false;
          } catch (error) {
            const isOurs = (value: Buffer): boolean => isCountedFrom(mark, value);
            void giveBackStray({ node, key, lifeMs, isOurs, giveBack: ({ cas }) => unlock({ cas }) });
            throw error;
          }
        },
      };
    },
    // Everybody who waits counts it up, so its version says nothing; it always expires.
    versionOf: async () => undefined,
  };
}

function isCountedFrom(mark: bigint, value: Buffer): boolean {
  const text = value.toString('latin1').trim();
  if (!/^\d{1,20}$/.test(text)) return false;
  const count = BigInt(text);
  return count >= mark && count < mark + MOST_WAITERS;
}
