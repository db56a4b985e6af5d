/** One absolute deadline for a whole call, handed down through queue, connect, wait and query. */
import { invalidOption, rejectUnknownOptions } from './option-reader.js';
import { allowManyListeners } from './shared-signal.js';
import { ErrorCode, StormlampError } from './stormlamp-error.js';

/** What every call that does IO takes last. */
export interface CallOptions {
  /** Stops the call with `ERR_ABORTED` when it fires. */
  readonly signal?: AbortSignal | undefined;
  /** Stops the call with `ERR_TIMEOUT` after so many milliseconds; 0 means no limit. */
  readonly timeoutMs?: number | undefined;
}

const NO_MORE: readonly string[] = [];
/** A timer that is later than this has waited for this process itself, milliseconds. */
const STALL_MS = 50;

/** A point in monotonic time after which a call must have ended, and the signal that may end it earlier. */
export class Deadline {
  /** Monotonic milliseconds (`performance.now()`), `Infinity` when there is no limit. */
  readonly at: number;
  /** The caller's signal. */
  readonly signal: AbortSignal | undefined;
  readonly #limitMs: number;

  private constructor(limitMs: number, signal: AbortSignal | undefined) {
    this.#limitMs = limitMs;
    this.at = limitMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + limitMs;
    this.signal = signal;
    if (signal !== undefined) allowManyListeners(signal);
  }

  /**
   * The deadline of a call: its own `timeoutMs`, else `defaultMs`; 0 means none.
   *
   * @throws StormlampError `ERR_INVALID_OPTION` for a limit that is no number >= 0 and for a signal that is none.
   */
  static of(options: CallOptions | undefined, defaultMs = 0): Deadline {
    if (options === undefined) return new Deadline(defaultMs, undefined);
    const { timeoutMs, signal } = options;
    if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs >= 0)) {
      throw invalidOption('timeoutMs', 'a number >= 0', timeoutMs);
    }
    if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
      throw invalidOption(
        'signal',
        'an AbortSignal (of an AbortController it is the property `signal`)',
        signal,
      );
    }
    return new Deadline(timeoutMs ?? defaultMs, signal);
  }

  /**
   * {@link Deadline.of} for what a user calls: names that such a call does not have are refused, since a misspelt limit
   * is no limit. `more` are names that the call has besides.
   */
  static ofCall(
    options: CallOptions | undefined,
    defaultMs = 0,
    more: readonly string[] = NO_MORE,
  ): Deadline {
    if (options === undefined) return new Deadline(defaultMs, undefined);
    if (typeof options !== 'object' || options === null) throw invalidOption('options', 'an object', options);
    for (const name in options) {
      if (name !== 'timeoutMs' && name !== 'signal' && !more.includes(name)) {
        rejectUnknownOptions('options', { [name]: true }, ['timeoutMs', 'signal', ...more]);
      }
    }
    return Deadline.of(options, defaultMs);
  }

  /** A deadline that is the sooner of this one and `limitMs` from now, with the same signal. */
  within(limitMs: number): Deadline {
    const remaining = this.remainingMs();
    return new Deadline(
      limitMs === 0 || remaining < limitMs
        ? Number.isFinite(remaining)
          ? Math.max(remaining, 0.001)
          : 0
        : limitMs,
      this.signal,
    );
  }

  /** Options of one step that may take `limitMs` at most, and not longer than what is left. */
  callWithin(limitMs: number): CallOptions {
    return {
      signal: this.signal,
      timeoutMs: Math.max(1, Math.min(limitMs, Math.ceil(this.remainingMs()))),
    };
  }

  /** Milliseconds left; `Infinity` without a limit, never negative. */
  remainingMs(): number {
    return Math.max(0, this.at - performance.now());
  }

  /** The reason to stop now, if there is one. `what` names the work in the message. */
  expired(what: string): StormlampError | undefined {
    if (this.signal?.aborted === true) return aborted(what, this.signal.reason);
    return performance.now() >= this.at ? this.timeout(what) : undefined;
  }

  /** Throws when the deadline has passed or the signal has fired. */
  check(what: string): void {
    const reason = this.expired(what);
    if (reason !== undefined) throw reason;
  }

  /**
   * Settles as `work` does, or rejects at the deadline or abort, whichever is first.
   * `late` then receives what `work` still delivers, so that a connection that arrives too late is not lost.
   */
  race<T>(what: string, work: Promise<T>, late?: (value: T) => void): Promise<T> {
    const { signal } = this;
    if (this.at === Number.POSITIVE_INFINITY && signal === undefined) return work;
    return new Promise<T>((resolve, reject) => {
      let settled = false;
      let timer: NodeJS.Timeout | undefined;
      const finish = (): boolean => {
        if (settled) return false;
        settled = true;
        if (timer !== undefined) clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        return true;
      };
      const onAbort = (): void => {
        if (finish()) reject(aborted(what, signal?.reason));
      };
      work.then(
        (value) => {
          if (finish()) resolve(value);
          else late?.(value);
        },
        (error: unknown) => {
          if (finish()) reject(error);
        },
      );
      if (signal?.aborted === true) {
        onAbort();
        return;
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      if (this.at !== Number.POSITIVE_INFINITY) {
        let waited = false;
        const onTime = (): void => {
          const lateMs = performance.now() - this.at;
          // A timer counts whole milliseconds and may be a fraction early; nothing may be over before its deadline.
          if (lateMs < 0) timer = setTimeout(onTime, this.#timerMs());
          else if (lateMs > STALL_MS && !waited && !settled) {
            // After a stall of this process timers run before the sockets are read, where the answer may be.
            waited = true;
            setImmediate(onTime);
          } else if (finish()) reject(this.timeout(what));
        };
        timer = setTimeout(onTime, this.#timerMs());
      }
    });
  }

  #timerMs(): number {
    return Math.min(Math.ceil(this.remainingMs()), 2_147_483_647);
  }

  /** The error of a passed deadline. */
  timeout(what: string): StormlampError {
    return new StormlampError(
      ErrorCode.TIMEOUT,
      `${what} did not finish within ${Math.round(this.#limitMs)} ms`,
    );
  }
}

/** The error of a fired signal. */
export function aborted(what: string, reason: unknown): StormlampError {
  return new StormlampError(ErrorCode.ABORTED, `${what} was aborted by the caller`, { cause: reason });
}
