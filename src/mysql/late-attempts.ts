/** The attempts to connect to a node that are not answered: nobody shall count on one whose packets may be lost. */

/** After so many milliseconds an attempt is late. */
export const LATE_AFTER_MS = 500;

/** Counts them. Its timers do not keep the process alive. */
export class LateAttempts {
  /** Attempts that are under way and late. */
  count = 0;
  readonly #onLate: () => void;

  /** `onLate` is called each time that one turns out to be late. */
  constructor(onLate: () => void) {
    this.#onLate = onLate;
  }

  /** Notes that an attempt begins; call what this gives, once, when it is over. */
  begin(): () => void {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.count += 1;
      this.#onLate();
    }, LATE_AFTER_MS);
    timer.unref();
    return () => {
      clearTimeout(timer);
      if (isLate) this.count -= 1;
    };
  }
}
