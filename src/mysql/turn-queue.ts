/** Work that waits for its turn, first in, first out; each step costs the same, however many wait. */

interface Waiting {
  readonly begin: () => void;
  next: Waiting | undefined;
}

/** The queue. */
export class TurnQueue {
  #first: Waiting | undefined;
  #last: Waiting | undefined;

  /** Joins the end of the queue. */
  add(begin: () => void): void {
    const waiting: Waiting = { begin, next: undefined };
    if (this.#last === undefined) this.#first = waiting;
    else this.#last.next = waiting;
    this.#last = waiting;
  }

  /** Takes whoever waits longest out of the queue; undefined when nobody waits. */
  take(): (() => void) | undefined {
    const first = this.#first;
    this.#first = first?.next;
    if (this.#first === undefined) this.#last = undefined;
    return first?.begin;
  }
}
