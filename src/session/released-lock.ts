/**
 * What a gateway leaves in the place of a lock that was given back while a node missed writes, so that the lock which is left there
 * counts no more, and none that arrives late is taken for a new one. It is no lock, and whoever takes its place puts it back.
 */
import type { NewContent } from '../memcached/copies/write-under-way.js';

const RELEASED = /^stormlamp-released (\d{1,10})$/;
/** As long as a lock that never expires is taken for one that was left behind. */
const ENDLESS_LOCK_SECONDS = 86_400;

/** The content in the place of a lock with this `exptime`, as memcached takes it: it lives as long as any copy of that lock. */
export function releasedLock(exptime: number): NewContent {
  const lives = exptime === 0 ? ENDLESS_LOCK_SECONDS : exptime;
  return { value: Buffer.from(`stormlamp-released ${lives}`), exptime: lives };
}

/** What was left in the place of a lock; undefined when `value` is a lock. */
export function releasedLockOf(value: Buffer): NewContent | undefined {
  const exptime = value.length > 32 ? undefined : RELEASED.exec(value.toString('latin1'))?.[1];
  return exptime === undefined ? undefined : releasedLock(Number(exptime));
}
