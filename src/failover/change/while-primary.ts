/** Work that is only right while one node is the primary: it is not begun when another one is, and given up when another one comes. */
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';

const LOOK_MS = 250;

/**
 * Does `work` while `primary()` names `from`; without a primary for a while it goes on. The signal fires when another node becomes
 * the primary.
 *
 * Rejects with `ERR_CHANGE_REFUSED` when that was so before, or becomes so: also when `work` does not heed its signal.
 */
export async function whilePrimary<T>(
  from: NodeId,
  primary: () => NodeId | undefined,
  work: (signal: AbortSignal) => T | Promise<T>,
): Promise<T> {
  const moved = new AbortController();
  const look = (): void => {
    const now = primary();
    if (now === undefined || now === from) return;
    moved.abort(
      new StormlampError(ErrorCode.CHANGE_REFUSED, `${now} is the primary now, and not ${from}; ask again`),
    );
  };
  look();
  moved.signal.throwIfAborted();
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  try {
    const result = await work(moved.signal);
    moved.signal.throwIfAborted();
    return result;
  } catch (error) {
    moved.signal.throwIfAborted();
    throw error;
  } finally {
    clearInterval(timer);
  }
}
