/** Runs a change under the session's lock, and once more where the lock was lost meanwhile. */
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type { HeldSessionLock } from './session.js';

/** How often a change is made again because its lock was lost. */
const LOSSES = 3;

/** Runs `work` once; the lock is given back whatever comes of it. */
export async function underLock<T>(lock: HeldSessionLock, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/**
 * Runs `work` until the lock is known to have been ours all the time: a page of PHP that had it meanwhile writes back what it
 * had read before, but has done so once the lock is ours again.
 *
 * @param take takes the lock
 * @param work what to do; `again` tells that it was done before, and may have been overwritten
 * @throws StormlampError `ERR_OUTCOME_UNKNOWN` when the lock was lost and could not be had again, or was lost every time; what
 * `take` and `work` throw.
 */
export async function surelyUnderLock<T>(
  take: () => Promise<HeldSessionLock>,
  work: (again: boolean) => Promise<T>,
): Promise<T> {
  for (let time = 1; time <= LOSSES; time += 1) {
    const lock = await take().catch((error: unknown) => {
      // It has been written once, so it is not true any more that nothing was.
      throw time > 1 && isStormlampError(error, ErrorCode.SESSION_LOCKED) ? lockLost(error) : error;
    });
    const done = await underLock(lock, () => work(time > 1));
    if (!lock.lost) return done;
  }
  throw lockLost(undefined);
}

function lockLost(cause: unknown): StormlampError {
  return new StormlampError(
    ErrorCode.OUTCOME_UNKNOWN,
    'The session lock was lost while the session was being changed, so somebody may have overwritten the change: this process, the nodes or PHP take longer than a lock lives (memcache.lock_timeout, memcached.sess_lock_expire; `lockExpireMs`). Doing it again does no harm',
    { cause },
  );
}
