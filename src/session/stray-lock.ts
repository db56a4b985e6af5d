/**
 * A lock that may be ours though no answer said so: a node that was frozen sets it, or keeps it, when it goes on. Nobody would give
 * it back, and every request of its session, PHP's too, would wait until it expires.
 */
import { backoffMs, pause } from '../common/backoff.js';
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import type { MemcachedItem, MemcachedNode } from '../memcached/memcached-node.js';

/** What may be on a node. */
export interface StrayLock {
  /** The node. */
  readonly node: MemcachedNode;
  /** Where the lock is. */
  readonly key: string;
  /** Whether what is there is ours. */
  isOurs(value: Buffer): boolean;
  /** For how long it can be there, in milliseconds. */
  readonly lifeMs: number;
  /** Gives back the lock that was found; false where somebody has changed it meanwhile: then it is looked at again. */
  giveBack(found: MemcachedItem): Promise<boolean>;
}

const PAUSE = { firstMs: 100, maxMs: 1_000 };
/** What was sent on a connection that is gone may be read after what is asked on the next one. */
const LOOKS = 2;
/** More than can be looked for at a time expire by themselves. */
const MOST = 10_000;

let sought = 0;

/** Looks for it until the node has answered or the lock has expired, and gives it back. Never rejects. */
export async function giveBackStray({ node, key, isOurs, lifeMs, giveBack }: StrayLock): Promise<void> {
  if (sought >= MOST) return;
  sought += 1;
  try {
    const until = performance.now() + lifeMs;
    for (let attempt = 0, looks = 0; looks < LOOKS && performance.now() < until; attempt += 1) {
      await pause(backoffMs(attempt, PAUSE));
      try {
        const found = await node.get(key);
        if (found === null || !isOurs(found.value)) looks += 1;
        else if (await giveBack(found)) return;
      } catch (error) {
        if (isStormlampError(error, ErrorCode.CLOSED)) return;
      }
    }
  } finally {
    sought -= 1;
  }
}
