/** Locks of sessions among the requests of this process, given in the order in which they were asked for. */
import type { Deadline } from '../common/deadline.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** See the head of this file. */
export class LocalSessionLocks {
  readonly #waiting = new Map<string, (() => void)[]>();

  /**
   * Takes the lock of `id`; what gives it back.
   *
   * @throws StormlampError `ERR_SESSION_LOCKED` when it is not free within `waitMs`; `ERR_TIMEOUT`, `ERR_ABORTED`.
   */
  async acquire(id: string, waitMs: number, deadline: Deadline): Promise<() => void> {
    const queue = this.#waiting.get(id);
    if (queue === undefined) this.#waiting.set(id, []);
    else await this.#turn(id, queue, waitMs, deadline);
    let held = true;
    return () => {
      if (held) this.#next(id);
      held = false;
    };
  }

  #turn(id: string, queue: (() => void)[], waitMs: number, deadline: Deadline): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const turn = new Promise<void>((resolve, reject) => {
      queue.push(resolve);
      timer = setTimeout(() => {
        const at = queue.indexOf(resolve);
        if (at < 0) return;
        queue.splice(at, 1);
        reject(sessionLocked(waitMs));
      }, waitMs);
    });
    // Whoever gave up gets the lock all the same, and hands it on.
    const passOn = (): void => this.#next(id);
    return deadline.race('Waiting for the session lock', turn, passOn).finally(() => clearTimeout(timer));
  }

  #next(id: string): void {
    const next = this.#waiting.get(id)?.shift();
    if (next === undefined) this.#waiting.delete(id);
    else next();
  }
}

/** The error of a lock that was not free in time. */
export function sessionLocked(waitMs: number, cause?: unknown): StormlampError {
  return new StormlampError(
    ErrorCode.SESSION_LOCKED,
    `Another request holds the session lock, and did not give it back within \`lockWaitMs\` (${waitMs} ms)`,
    { cause },
  );
}
