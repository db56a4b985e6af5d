/** The terms of a client's change, by what kind of item it is for: whether it may be made again, and how many copies must have it. */
import type { Repeat } from '../memcached/copies/commit-copies.js';
import type { Acks } from '../memcached/copies/copy-report.js';
import { type ChangeCommand, mustBeOnce } from './item-change.js';

/** Of which kinds an item is. */
export interface ItemKinds {
  /** Whether this is the key of a session's lock as php-memcached takes it. */
  readonly isLock: (key: string) => boolean;
  /** Whether this is the key of a session's lock as pecl-memcache counts it. */
  readonly isCountedLock: (key: string) => boolean;
  /** Whether this is the key of a session's data. */
  readonly isSession: (key: string) => boolean;
  /** Whether an item is not written by a client that could not read it. */
  readonly isGuarded: (key: string) => boolean;
}

/**
 * What becomes of it when somebody was faster. A lock is told from another one by its content. What somebody has counted over, or
 * changed, must not be undone.
 */
export function repeatOf(command: ChangeCommand, { isLock, isCountedLock }: ItemKinds): Repeat {
  const counted = isCountedLock(command.key);
  const unique = counted || isLock(command.key);
  if (unique && !counted) return 'freely';
  return !unique && mustBeOnce(command) ? 'once' : 'unless-built-on';
}

/**
 * How many copies must have what is done to `key`, where that of values is `acks`. PHP cannot begin a page without its lock, one that only
 * reads either, and everybody who can ask for it asks the nodes that are left. So it is with the empty item under which php-memcached
 * makes a new id: it holds nothing that could be lost.
 */
export function acksOf(
  key: string,
  acks: Acks,
  { isLock, isCountedLock, isSession }: ItemKinds,
  command?: ChangeCommand,
): Acks {
  if (isLock(key) || isCountedLock(key)) return 'one';
  const isNewId = command?.op === 'store' && command.how === 'add' && command.value.length === 0;
  return isNewId && isSession(key) ? 'one' : acks;
}
