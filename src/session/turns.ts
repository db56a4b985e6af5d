/** Runs pieces of work one after the other, in the order in which they were asked for. */
import type { Deadline } from '../common/deadline.js';

/** See the head of this file. */
export class Turns {
  #last: Promise<unknown> | undefined;

  /**
   * Runs `work` when all earlier work is over, at once when there is none; its outcome. Errors: its own, and `ERR_TIMEOUT`
   * or `ERR_ABORTED` when its turn does not come in time.
   */
  run<T>(deadline: Deadline, work: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const done =
      before === undefined ? work() : deadline.race('Waiting for an earlier save', before).then(work);
    // Whoever gave up waiting does not let the next one past the work that is under way.
    const last: Promise<unknown> = Promise.allSettled([before, done]).then(() => {
      if (this.#last === last) this.#last = undefined;
    });
    this.#last = last;
    return done;
  }
}
