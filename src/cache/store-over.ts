/** Stores an item over what was seen in its place, and over nothing else. */
import type { MemcachedNode, StoreOptions, StoreResult } from '../memcached/memcached-node.js';

/** What is under a key: nothing, or this version of an item; 0 is any, of a server that keeps no versions. */
export type CacheVersion = 'nothing' | bigint;

/** Stores `value` over the version `over` of `key`, or over whatever is there. */
export async function storeOver(
  over: CacheVersion | 'anything',
  node: MemcachedNode,
  key: string,
  value: Buffer,
  options: StoreOptions,
): Promise<StoreResult> {
  if (over === 'nothing') return await node.add(key, value, options);
  return await node.set(key, value, over === 'anything' || over === 0n ? options : { ...options, cas: over });
}
