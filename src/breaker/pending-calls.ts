/** The calls of one breaker that are not settled yet, oldest first; adding and removing costs the same however many there are. */
import type { BreakerTicket } from './node-breaker.js';

/** Receives the outcome of a call, once. */
export interface CallSink {
  /** The node answered, or the outcome says nothing about it. */
  succeeded(call: PendingCall): void;
  /** The call failed with `error`. */
  failed(call: PendingCall, error: unknown): void;
  /** Nobody settled the call in time. */
  expired(call: PendingCall, error: unknown): void;
}

/** One admitted call. */
export class PendingCall implements BreakerTicket {
  /** When it was admitted, monotonic milliseconds. */
  readonly startedAt: number;
  /** The neighbour that was admitted later. */
  next: PendingCall | undefined = undefined;
  /** The neighbour that was admitted earlier. */
  previous: PendingCall | undefined = undefined;
  #sink: CallSink | undefined;

  /** Makes a call whose outcome goes to `sink`. */
  constructor(sink: CallSink, startedAt: number) {
    this.#sink = sink;
    this.startedAt = startedAt;
  }

  /** See {@link BreakerTicket.success}. */
  success(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    this.#sink = undefined;
    sink.succeeded(this);
  }

  /** See {@link BreakerTicket.failure}. */
  failure(error: unknown): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    this.#sink = undefined;
    sink.failed(this, error);
  }

  /** Settles a call that nobody settled. */
  expire(error: unknown): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    this.#sink = undefined;
    sink.expired(this, error);
  }
}

/** A queue of calls from which any call can leave. */
export class PendingCalls {
  /** The call that waits longest. */
  oldest: PendingCall | undefined = undefined;
  #newest: PendingCall | undefined;

  /** Adds a call at the end. */
  add(call: PendingCall): void {
    call.previous = this.#newest;
    if (this.#newest === undefined) this.oldest = call;
    else this.#newest.next = call;
    this.#newest = call;
  }

  /** Takes a call out. */
  remove(call: PendingCall): void {
    if (call.previous === undefined) this.oldest = call.next;
    else call.previous.next = call.next;
    if (call.next === undefined) this.#newest = call.previous;
    else call.next.previous = call.previous;
    call.next = undefined;
    call.previous = undefined;
  }
}
