/** How an item and the notes about it are named. */
import { createHash } from 'node:crypto';
import type { NodeId } from '../../common/node-address.js';
import { MAX_KEY_BYTES } from '../memcached-key.js';

/** An item's key, and the text by which PHP places it (the key without its prefix). */
export interface CopyKey {
  /** The whole key. */
  readonly key: string;
  /** What placement hashes. */
  readonly place: string;
}

/** All keys of our own begin with this; no key of PHP's does. */
export const OWN_PREFIX = 'stormlamp:';
/** Notes on the copies that took a write, about the nodes that missed it. */
export const HINT_PREFIX = 'stormlamp:hint:';
/** Notes about destroyed items. */
export const TOMB_PREFIX = 'stormlamp:tomb:';
const RETIRED_PREFIX = 'stormlamp:retired:';
const SUSPECT_PREFIX = 'stormlamp:suspect:';
const LEASE_PREFIX = 'stormlamp:lease:';
const REPAIRS_PREFIX = 'stormlamp:repairs:';
const SPARE_PREFIX = 'stormlamp:spare:';
const CHANGE_PREFIX = 'stormlamp:change:';
const REPLACED_PREFIX = 'stormlamp:replaced:';

/** Where the hint about the item `key` is. By its key: several items, as pecl-memcache's session and its lock, may have one place. */
export function hintKey(key: string): string {
  return named(HINT_PREFIX, key);
}

/** Where the tombstone of the item `key` is. */
export function tombKey(key: string): string {
  return named(TOMB_PREFIX, key);
}

/** Where the note is that another session took the place of the one under `key`; beside it, on the same nodes. */
export function retiredKey({ key, place }: CopyKey): CopyKey {
  return { key: named(RETIRED_PREFIX, key), place };
}

/** Where it is said that `node` missed writes. */
export function suspectKey(node: NodeId): string {
  return named(SUSPECT_PREFIX, node);
}

/** Where the lease of the one process is that works on `node`. */
export function leaseKey(node: NodeId): string {
  return named(LEASE_PREFIX, node);
}

/** Where it is told which repairs of `node` were done, on the node itself. */
export function repairsKey(node: NodeId): string {
  return named(REPAIRS_PREFIX, node);
}

/** Where a node says that it keeps copies for nodes that are away. */
export function spareKey(ring: string): string {
  return named(SPARE_PREFIX, ring);
}

/** Where it is said that a change to the list `ring` is under way. */
export function changeKey(ring: string): string {
  return named(CHANGE_PREFIX, ring);
}

/** Where it is said that another list took the place of the list `ring`. */
export function replacedKey(ring: string): string {
  return named(REPLACED_PREFIX, ring);
}

// A name that would make the key too long is named by its hash; `#` is in no id and no address.
function named(prefix: string, name: string): string {
  const key = prefix + name;
  if (Buffer.byteLength(key) <= MAX_KEY_BYTES) return key;
  return `${prefix}#${createHash('sha256').update(name).digest('base64url')}`;
}
