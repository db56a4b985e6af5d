/**
 * Commands whose item would be over at once: memcached stores it, and nobody ever sees it. PHP asks whether a session exists by such an
 * `add` (`session.use_strict_mode`, binary protocol), which must not undo that the session was destroyed.
 */
import { RELATIVE_EXPTIME_LIMIT } from '../memcached/exptime.js';

/** Whether an item with this expiry is over already. */
export function isOver(exptime: number, nowMs: number = Date.now()): boolean {
  return exptime > RELATIVE_EXPTIME_LIMIT && exptime <= nowMs / 1000;
}
