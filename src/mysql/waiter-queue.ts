/** Callers who wait for something, first in, first out; each one leaves at its own deadline and costs nothing afterwards. */
import { aborted, type Deadline } from '../common/deadline.js';

/** How one caller waits. */
export interface WaitLimits {
  /** The deadline of the call; its signal ends the wait with `ERR_ABORTED`. */
  readonly deadline: Deadline;
  /** The longest wait in milliseconds, when the deadline is later. */
  readonly limitMs: number;
  /** What is waited for, as the message of an abort names it. */
  readonly what: string;
  /** Makes the error of a wait that was too long; it took `waitedMs`. */
  readonly expired: (waitedMs: number) => Error;
}

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** The queue. */
export class WaiterQueue<T> {
  // A set keeps the order and lets anybody leave at no cost.
  readonly #waiters = new Set<Waiter<T>>();

  /** Callers who wait now. */
  get size(): number {
    return this.#waiters.size;
  }

  /** Joins the queue. */
  wait(limits: WaitLimits): Promise<T> {
    const { deadline, limitMs, what, expired } = limits;
    const { signal } = deadline;
    return new Promise<T>((resolve, reject) => {
      const waitMs = Math.min(limitMs, deadline.remainingMs(), 2_147_483_647);
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#waiters.delete(waiter);
      };
      const onAbort = (): void => waiter.reject(aborted(what, signal?.reason));
      const waiter: Waiter<T> = {
        resolve: (value) => {
          leave();
          resolve(value);
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      const timer = setTimeout(() => waiter.reject(expired(waitMs)), waitMs);
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted === true) onAbort();
    });
  }

  /** Serves whoever waits longest; false when nobody waits. */
  serve(value: T): boolean {
    const waiter = this.#first();
    waiter?.resolve(value);
    return waiter !== undefined;
  }

  /** Turns away those who wait longest until `keep` are left. */
  turnAway(error: unknown, keep = 0): void {
    while (this.#waiters.size > keep) this.#first()?.reject(error);
  }

  #first(): Waiter<T> | undefined {
    return this.#waiters.values().next().value;
  }
}
