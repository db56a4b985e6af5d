/** The deadlines of all calls of one node, with one timer between them: a timer of its own costs a call more than its bookkeeping. */

const LONGEST_TIMER_MS = 2_147_483_647;

/** What has a deadline. */
export interface DeadlineMember {
  /** When it is over, in monotonic milliseconds. */
  readonly dueAt: number;
  /** It is over. */
  expired(): void;
}

/** See the head of this file. */
export class CallDeadlines {
  readonly #members = new Set<DeadlineMember>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  /** Watches a member until it is removed or over. */
  add(member: DeadlineMember): void {
    this.#members.add(member);
    if (member.dueAt < this.#timerAt) this.#wakeAt(member.dueAt);
  }

  /** It needs no watching any more. */
  remove(member: DeadlineMember): void {
    this.#members.delete(member);
  }

  // What is waited for holds the process by its socket.
  #wakeAt(at: number): void {
    clearTimeout(this.#timer);
    this.#timerAt = at;
    const ms = Math.min(Math.max(1, Math.ceil(at - performance.now())), LONGEST_TIMER_MS);
    this.#timer = setTimeout(() => this.#wake(), ms).unref();
  }

  // An answer that arrived while this process was busy counts: it is read before the next turn of the event loop.
  #wake(): void {
    const now = performance.now();
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    setImmediate(() => this.#expire(now));
  }

  #expire(now: number): void {
    let next = this.#timerAt;
    for (const member of this.#members) {
      if (member.dueAt > now) next = Math.min(next, member.dueAt);
      else {
        this.#members.delete(member);
        member.expired();
      }
    }
    if (next < this.#timerAt) this.#wakeAt(next);
  }
}
