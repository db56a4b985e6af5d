/** What one memcached server looks like to the rest of the package; memjs stays behind it. */
import type { CallOptions } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';

/** An item as memcached holds it. */
export interface MemcachedItem {
  /** The value's bytes. */
  readonly value: Buffer;
  /** The client flags, 32 bit unsigned. */
  readonly flags: number;
  /** The id of this version of the item, for compare-and-set. */
  readonly cas: bigint;
}

/** How an item is stored. */
export interface StoreOptions extends CallOptions {
  /** Seconds up to 30 days, above that seconds since 1970 by the server's clock; 0 never expires. */
  readonly exptime: number;
  /** Client flags, 32 bit unsigned; 0 when left out. */
  readonly flags?: number;
  /** Only store over exactly this version. */
  readonly cas?: bigint;
}

/** The answer to a store; `cas` is the id of the new version. */
export type StoreResult =
  | { readonly status: 'stored'; readonly cas: bigint }
  /** The key exists (add), or exists in another version (compare-and-set). */
  | { readonly status: 'exists' }
  /** There is nothing to replace or compare with. */
  | { readonly status: 'not-found' };

/**
 * One memcached server. Every call ends by its deadline, whatever the server does; a connection that faulted is thrown away.
 *
 * All calls reject with StormlampError: `ERR_NODE_UNREACHABLE`, `ERR_TIMEOUT`, `ERR_ABORTED`, `ERR_BREAKER_OPEN`,
 * `ERR_PROTOCOL` (the peer is not memcached), `ERR_MEMCACHED` (an error status), `ERR_ACCESS_DENIED` (SASL),
 * `ERR_SESSION_TOO_LARGE` (the value is larger than the server takes; nothing was sent), `ERR_INVALID_KEY`, `ERR_INVALID_OPTION`,
 * `ERR_UNSUPPORTED` (a version to compare with of a server that keeps none) or `ERR_CLOSED`.
 *
 * A change that ends with `ERR_NODE_UNREACHABLE` or `ERR_TIMEOUT` may have happened, or may happen still; it is never sent twice.
 */
export interface MemcachedNode {
  /** The node's name. */
  readonly id: NodeId;
  /** Whether a call may be tried now: the breaker allows it. Free to ask. */
  readonly available: boolean;
  /** How far the server's clock is ahead of this machine's, in milliseconds, as it was last seen: dates of expiry are moved by it. */
  readonly clockAheadMs: number;
  /** Reads an item; null is a miss. */
  get(key: string, options?: CallOptions): Promise<MemcachedItem | null>;
  /** Reads several items in one packet, in the order of `keys`; null is a miss. Misses cost no answer. */
  getMany(keys: readonly string[], options?: CallOptions): Promise<readonly (MemcachedItem | null)[]>;
  /** As `get`, but not held back by breakers: they close again by such looks. */
  peek(key: string, options?: CallOptions): Promise<MemcachedItem | null>;
  /** Reads an item and renews its expiry; null is a miss. */
  getAndTouch(key: string, exptime: number, options?: CallOptions): Promise<MemcachedItem | null>;
  /**
   * Sends nothing, and throws what a store of `value` would end with where that is larger than the server takes, as far as is known: it
   * tells that when it is connected to.
   */
  assertFits(key: string, value: { readonly length: number }): void;
  /** Stores, or compares and sets. */
  set(key: string, value: Buffer, options: StoreOptions): Promise<StoreResult>;
  /** Stores only when the key does not exist. Never retried: `exists` means that somebody else has it. */
  add(key: string, value: Buffer, options: StoreOptions): Promise<StoreResult>;
  /** Stores only when the key exists. */
  replace(key: string, value: Buffer, options: StoreOptions): Promise<StoreResult>;
  /** Removes the item, or only exactly the version `cas`. */
  delete(
    key: string,
    options?: CallOptions & { readonly cas?: bigint },
  ): Promise<'deleted' | 'not-found' | 'exists'>;
  /** Renews the expiry. */
  touch(key: string, exptime: number, options?: CallOptions): Promise<'touched' | 'not-found'>;
  /** Adds to a number, creating it with `initial`; the new value. */
  increment(
    key: string,
    delta: bigint,
    options: CallOptions & { readonly initial: bigint; readonly exptime: number },
  ): Promise<bigint>;
  /** The server's version; the cheapest proof of life. Not held back by breakers: they close again by such probes. */
  version(options?: CallOptions): Promise<string>;
  /** The server's statistics: the general ones, or those of `group` (`settings`, `items`, `slabs`, `sizes`, …). Not held back by breakers. */
  stats(options?: CallOptions & { readonly group?: string }): Promise<ReadonlyMap<string, string>>;
  /** Waits for running calls, then closes. */
  close(): Promise<void>;
  /** Closes now; running calls reject with `ERR_CLOSED`. */
  destroy(): void;
}
