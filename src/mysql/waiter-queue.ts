/**
 * Callers who wait for something, first in, first out; each one leaves at its own deadline and costs nothing afterwards. Every
 * step costs the same, however many wait.
 */
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
  before: Waiter<T> | undefined;
  after: Waiter<T> | undefined;
}

/** The queue. */
export class WaiterQueue<T> {
  // A list, because to find the first of a set takes the longer the more of them have left.
  #first: Waiter<T> | undefined;
  #last: Waiter<T> | undefined;
  #size = 0;

  /** Callers who wait now. */
  get size(): number {
    return this.#size;
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
        this.#remove(waiter);
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
        before: undefined,
        after: undefined,
      };
      const timer = setTimeout(() => waiter.reject(expired(waitMs)), waitMs);
      this.#append(waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted === true) onAbort();
    });
  }

  /** Serves whoever waits longest; false when nobody waits. */
  serve(value: T): boolean {
    const waiter = this.#first;
    waiter?.resolve(value);
    return waiter !== undefined;
  }

  /** Turns away those who wait longest until `keep` are left. */
  turnAway(error: unknown, keep = 0): void {
    while (this.#size > keep) this.#first?.reject(error);
  }

  #append(waiter: Waiter<T>): void {
    waiter.before = this.#last;
    if (this.#last === undefined) this.#first = waiter;
    else this.#last.after = waiter;
    this.#last = waiter;
    this.#size += 1;
  }

  #remove(waiter: Waiter<T>): void {
    const { before, after } = waiter;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    this.#size -= 1;
  }
}
