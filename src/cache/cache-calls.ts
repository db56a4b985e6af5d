/** What the calls of a cache take and tell. */
import type { CallOptions } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';

/** How a value is read. */
export interface CacheReadOptions extends CallOptions {
  /** Only believe a value that was stored with these tags. Whatever tags it has, it counts as missing once one of them was voided. */
  readonly tags?: readonly string[];
}

/** How a value is stored. */
export interface CacheWriteOptions extends CacheReadOptions {
  /** How long it lives, in milliseconds, at most a year; 0 is for ever. Default: the cache's `ttlMs`. */
  readonly ttlMs?: number;
}

/** How a value is read, or made and stored. */
export interface CacheWrapOptions extends CacheWriteOptions {
  /** How long the answer "there is none" is kept, in milliseconds. Default: the cache's `negativeTtlMs`. */
  readonly negativeTtlMs?: number;
}

/** Makes a value; undefined means that there is none. */
export type MakeCacheValue<T> = () => Promise<T> | T;

/** Counts since the cache was made. */
export interface CacheStats {
  /** Reads that the process answered. */
  readonly localHits: number;
  /** Reads that memcached answered. */
  readonly sharedHits: number;
  /** Reads that nobody could answer. */
  readonly misses: number;
  /** Values that were made here because they were missing. */
  readonly made: number;
  /** Values that were made here before they expired. */
  readonly refreshed: number;
  /** Reads that another process's making answered. */
  readonly waited: number;
  /** Operations that a node did not do. */
  readonly nodeFailures: number;
  /** Values in the process. */
  readonly localEntries: number;
  /** What they take in memory, in bytes, roughly. */
  readonly localBytes: number;
  /** Values that had to leave the process for lack of room. */
  readonly localEvicted: number;
}

/** Events of a cache. */
export interface CacheEvents {
  /** A node did not do an operation. */
  'node-failed': { readonly node: NodeId; readonly error: unknown };
  /** A value that was to be made anew before it expired could not be made; the old one is served on. */
  'refresh-failed': { readonly key: string; readonly error: unknown };
  /** A stored value cannot be read; it counts as missing. */
  'value-unreadable': { readonly key: string; readonly error: unknown };
  /** A value was made and could not be stored, as it, or what notes its tags, is too large. */
  'value-too-large': { readonly key: string; readonly bytes: number };
}
