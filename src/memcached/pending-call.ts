/**
 * One call under way. It has two ends: the caller's, which comes by the call's deadline whatever happens, and the node's, which
 * comes with the answer or with the end of the connection and is what the breaker counts.
 */
import type { BreakerTicket } from '../breaker/node-breaker.js';
import type { CallOptions } from '../common/deadline.js';
import { aborted } from '../common/deadline.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { WireResponse } from './wire-message.js';

/** What a call needs to know of the connection that carries it. */
export interface CallCarrier {
  /** Throws the connection away: it did not answer in time. */
  fault(error: StormlampError): void;
  /** Whether it ever brought an answer. */
  readonly heard: boolean;
}

/** How a call is made. */
export interface PendingCallOptions<T> {
  /** What is done, for messages: `get on memcached cache1:11211`. */
  readonly what: string;
  /** The node. */
  readonly node: string;
  /** The caller's deadline and signal. */
  readonly options: CallOptions | undefined;
  /** The node's deadline: the caller's when it gave none, and how long a request may go unanswered before its connection is thrown away; 0 is none. */
  readonly timeoutMs: number;
  /** The breaker's permission. */
  readonly ticket: BreakerTicket | undefined;
  /** Reads the answer; MORE when further parts follow. What it throws rejects the call. */
  readonly read: (response: WireResponse) => T | typeof MORE;
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
export class PendingCall<T = unknown> {
  readonly #call: PendingCallOptions<T>;
  readonly #limitMs: number;
  #carrier: CallCarrier | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sentAt = 0;
  #waiting = true;
  #over = false;
  readonly #onAbort = (): void => {
    this.#abandon(aborted(this.#call.what, this.#call.options?.signal?.reason));
  };

  /** Starts the call's clock. */
  constructor(call: PendingCallOptions<T>) {
    this.#call = call;
    this.#limitMs = call.options?.timeoutMs ?? call.timeoutMs;
    this.#arm(this.#limitMs);
    call.options?.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Whether the caller still waits: a request of one who does not must not be sent any more. */
  get waiting(): boolean {
    return this.#waiting;
  }

  /** The request is being written to `carrier`. */
  sent(carrier: CallCarrier): void {
    this.#carrier = carrier;
    this.#sentAt = performance.now();
  }

  /** The connection stands, and the request was not written because nobody waits for it any more. */
  skipped(): void {
    if (this.#end()) this.#call.ticket?.success();
  }

  /** Takes an answer; false when further parts follow. */
  answered(response: WireResponse): boolean {
    if (this.#over) return true;
    let value: T | typeof MORE;
    try {
      value = this.#call.read(response);
    } catch (error) {
      if (error instanceof StormlampError && error.code === ErrorCode.PROTOCOL) {
        this.#carrier?.fault(error);
      } else if (this.#end()) {
        this.#call.ticket?.success();
        this.#settle(() => this.#call.reject(error));
      }
      return true;
    }
    if (value === MORE) return false;
    const result = value;
    if (this.#end()) {
      this.#call.ticket?.success();
      this.#settle(() => this.#call.resolve(result));
    }
    return true;
  }

  /** The connection ended before the answer. */
  failed(error: unknown): void {
    if (!this.#end()) return;
    this.#call.ticket?.failure(error);
    this.#settle(() => this.#call.reject(error));
  }

  #arm(ms: number): void {
    if (ms > 0)
      this.#timer = setTimeout(() => setImmediate(() => this.#expired()), Math.min(ms, 2_147_483_647));
  }

  // Reached one turn of the event loop after the timer, so that an answer that arrived while this process was busy counts.
  #expired(): void {
    if (this.#over) return;
    const { what, node, timeoutMs } = this.#call;
    const limit = `${Math.round(this.#limitMs)} ms`;
    const hint = this.#carrier?.heard === false ? SILENCE : '';
    this.#abandon(
      new StormlampError(ErrorCode.TIMEOUT, `${what} did not finish within ${limit}${hint}`, { node }),
    );
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

  #abandon(error: StormlampError): void {
    if (!this.#waiting) return;
    this.#settle(() => this.#call.reject(error));
    const { timeoutMs } = this.#call;
    // The connection still has to show that it answers.
    if (this.#carrier !== undefined && timeoutMs > 0) {
      this.#arm(Math.max(1, timeoutMs - (performance.now() - this.#sentAt)));
    }
  }

  #settle(how: () => void): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    clearTimeout(this.#timer);
    this.#call.options?.signal?.removeEventListener('abort', this.#onAbort);
    how();
  }

  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    if (!this.#waiting) clearTimeout(this.#timer);
    return true;
  }
}
