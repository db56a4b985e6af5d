/**
 * One call under way. It has two ends: the caller's, which comes by the call's deadline whatever happens, and the node's, which
 * comes with the answer or with the end of the connection and is what the breaker counts.
 */
import type { BreakerTicket } from '../breaker/node-breaker.js';
import type { CallOptions } from '../common/deadline.js';
import { aborted } from '../common/deadline.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { CallDeadlines, DeadlineMember } from './call-deadlines.js';
import type { WireResponse } from './wire-response.js';

/** What a call needs to know of the connection that carries it. */
export interface CallCarrier {
  /** Throws the connection away: it did not answer in time. */
  fault(error: StormlampError): void;
  /** Whether it ever brought an answer. */
  readonly heard: boolean;
}

/** The node that makes a call. */
export interface CallOwner {
  /** The node's name. */
  readonly id: string;
  /** The node's deadline: the caller's when it gave none, and how long a request may go unanswered before its connection is thrown away; 0 is none. */
  readonly timeoutMs: number;
  /** Watches its calls. */
  readonly deadlines: CallDeadlines;
  /** The caller of one of its calls waits no more. */
  settled(): void;
}

/** How a call is made. */
export interface PendingCallOptions<T> {
  /** The node. */
  readonly owner: CallOwner;
  /** What is done, for messages: `get`. */
  readonly what: string;
  /** The caller's deadline and signal. */
  readonly options: CallOptions | undefined;
  /** The breaker's permission. */
  readonly ticket: BreakerTicket | undefined;
  /** Reads the answer to the request at `place`; MORE when further parts follow. What it throws rejects the call. */
  readonly read: (response: WireResponse, place: number) => T | typeof MORE;
  /** Ends the caller's wait. */
  readonly resolve: (value: T) => void;
  /** Ends the caller's wait. */
  readonly reject: (error: unknown) => void;
}

/** Told by a reader of answers that come in several parts. */
export const MORE: unique symbol = Symbol('more parts follow');

const SILENCE =
  '; it never answered on this connection: does memcached listen there, with its binary protocol on?';

/** A call between its start and the later of its two ends. */
export class PendingCall<T = unknown> implements DeadlineMember {
  /** See {@link DeadlineMember}. */
  dueAt: number = Number.POSITIVE_INFINITY;
  readonly #call: PendingCallOptions<T>;
  readonly #limitMs: number;
  #carrier: CallCarrier | undefined;
  #onAbort: (() => void) | undefined;
  #sentAt = 0;
  #waiting = true;
  #over = false;

  /** Starts the call's clock. */
  constructor(call: PendingCallOptions<T>) {
    this.#call = call;
    this.#limitMs = call.options?.timeoutMs ?? call.owner.timeoutMs;
    this.#arm(this.#limitMs);
    const signal = call.options?.signal;
    if (signal === undefined) return;
    this.#onAbort = () => this.#abandon(aborted(`${call.what} on memcached ${call.owner.id}`, signal.reason));
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Whether the caller still waits: a request of one who does not must not be sent any more. */
  get waiting(): boolean {
    return this.#waiting;
  }

  /** The request is being written to `carrier`, at `now` by the monotonic clock. */
  sent(carrier: CallCarrier, now: number): void {
    this.#carrier = carrier;
    this.#sentAt = now;
  }

  /** The connection stands, and the request was not written because nobody waits for it any more. */
  skipped(): void {
    if (this.#end()) this.#call.ticket?.success();
  }

  /** Takes an answer to the request at `place`; false when further parts follow. */
  answered(response: WireResponse, place = 0): boolean {
    if (this.#over) return true;
    let value: T | typeof MORE;
    try {
      value = this.#call.read(response, place);
    } catch (error) {
      if (error instanceof StormlampError && error.code === ErrorCode.PROTOCOL) {
        this.#carrier?.fault(error);
      } else if (this.#end()) {
        this.#call.ticket?.success();
        if (this.#stopWaiting()) this.#call.reject(error);
      }
      return true;
    }
    if (value === MORE) return false;
    const result = value;
    if (this.#end()) {
      this.#call.ticket?.success();
      if (this.#stopWaiting()) this.#call.resolve(result);
    }
    return true;
  }

  /** The connection ended before the answer. */
  failed(error: unknown): void {
    if (!this.#end()) return;
    this.#call.ticket?.failure(error);
    if (this.#stopWaiting()) this.#call.reject(error);
  }

  /** See {@link DeadlineMember}. */
  expired(): void {
    if (this.#over) return;
    const { what, owner } = this.#call;
    const { id: node, timeoutMs } = owner;
    const limit = `${Math.round(this.#limitMs)} ms`;
    const hint = this.#carrier?.heard === false ? SILENCE : '';
    const text = `${what} on memcached ${node} did not finish within ${limit}${hint}`;
    this.#abandon(new StormlampError(ErrorCode.TIMEOUT, text, { node }));
    if (this.#carrier === undefined || timeoutMs === 0) return;
    // Timers may fire up to a millisecond early.
    if (performance.now() - this.#sentAt < timeoutMs - 1) return;
    this.#carrier.fault(
      new StormlampError(
        ErrorCode.NODE_UNREACHABLE,
        `memcached ${node} left a request unanswered for ${timeoutMs} ms; its connection was thrown away`,
        { node },
      ),
    );
  }

  #arm(ms: number): void {
    if (ms <= 0) return;
    this.dueAt = performance.now() + ms;
    this.#call.owner.deadlines.add(this);
  }

  #abandon(error: StormlampError): void {
    if (!this.#waiting) return;
    if (this.#stopWaiting()) this.#call.reject(error);
    const { timeoutMs } = this.#call.owner;
    // The connection still has to show that it answers.
    if (this.#carrier !== undefined && timeoutMs > 0) {
      this.#arm(Math.max(1, timeoutMs - (performance.now() - this.#sentAt)));
    }
  }

  #stopWaiting(): boolean {
    if (!this.#waiting) return false;
    this.#waiting = false;
    this.#call.owner.deadlines.remove(this);
    if (this.#onAbort !== undefined) this.#call.options?.signal?.removeEventListener('abort', this.#onAbort);
    this.#call.owner.settled();
    return true;
  }

  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    if (!this.#waiting) this.#call.owner.deadlines.remove(this);
    return true;
  }
}
