/** Makes connections for a pool, one attempt per call: never rejects, pauses after failures, and asks the breaker first. */
import type { BreakerTicket } from '../breaker/node-breaker.js';
import type { Clock } from '../common/clock.js';
import { Deadline } from '../common/deadline.js';
import { outsideRequests } from '../common/outside-requests.js';
import { describeError, ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import { afterFailure, type ConnectBackoff, NO_BACKOFF, refusalOf } from './connect-backoff.js';
import type { ConnectionFactory } from './connection-factory.js';
import { LATE_AFTER_MS, LateAttempts } from './late-attempts.js';
import type { PhysicalConnection } from './physical-connection.js';
import { FailedSlot, PoolSlot } from './pool-slot.js';

/** Who is asked before, and told after, every attempt to connect. */
export interface ConnectHooks {
  /** Asked before every connection; what it throws goes to the caller. A ticket is told the outcome. */
  readonly admitConnect?: (() => BreakerTicket | undefined) | undefined;
  /** Told about every connection that could not be made; must not throw. */
  readonly onConnectError?: ((error: Error) => void) | undefined;
  /** Told about every connection that was made; must not throw. */
  readonly onConnected?: ((connection: PhysicalConnection) => void) | undefined;
}

/** What a {@link ConnectionMaker} needs. */
export interface ConnectionMakerOptions {
  /** Makes one connection. */
  readonly factory: ConnectionFactory;
  /** Who is asked and told. */
  readonly hooks: ConnectHooks;
  /** Told when an attempt is not answered for so long that nobody should count on it. */
  readonly onLate: () => void;
  /** Limit of one attempt, in milliseconds. */
  readonly limitMs: number;
  /** Life of a connection in milliseconds; 0 has no end. */
  readonly lifetimeMs: number;
  /** Ends attempts that are under way. */
  readonly signal: AbortSignal;
  /** Source of time. */
  readonly clock: Clock;
}

/** Makes connections to one node. */
export class ConnectionMaker {
  readonly #options: ConnectionMakerOptions;
  readonly #late: LateAttempts;
  #backoff: ConnectBackoff = NO_BACKOFF;
  /** When the last connection was made. */
  #madeAt = Number.NEGATIVE_INFINITY;

  /** Takes its parts; connects nothing yet. */
  constructor(options: ConnectionMakerOptions) {
    this.#options = options;
    this.#late = new LateAttempts(options.onLate);
  }

  /** Attempts under way that were not answered for long. */
  get late(): number {
    return this.#late.count;
  }

  /** What the last attempt failed with; undefined when it did not. */
  get lastError(): Error | undefined {
    return this.#backoff.phase === 'blocked' ? this.#backoff.error : undefined;
  }

  /** What in this process an attempt waits for; undefined when it waits for the server. */
  get waitingFor(): string | undefined {
    return this.#options.factory.waitingFor?.();
  }

  /** Milliseconds until the next attempt is really made; calls before that fail with the last error. */
  get pauseMs(): number {
    const { phase } = this.#backoff;
    return phase === 'blocked' ? Math.max(0, this.#backoff.until - this.#options.clock.now()) : 0;
  }

  /** Ends a pause, because the node is known to be reachable again; not one after a refusal, which whoever reached it says nothing of. */
  reachable(): void {
    if (!isStormlampError(this.lastError, ErrorCode.ACCESS_DENIED)) this.#backoff = NO_BACKOFF;
  }

  /** A connection for the pool's `generation`, or why there is none. */
  async make(generation: number): Promise<PoolSlot | FailedSlot> {
    const { factory, hooks, limitMs, lifetimeMs, signal, clock } = this.#options;
    const refusal = refusalOf(this.#backoff, clock.now());
    if (refusal !== undefined) return new FailedSlot(refusal);
    let ticket: BreakerTicket | undefined;
    try {
      ticket = hooks.admitConnect?.();
    } catch (error) {
      return new FailedSlot(error);
    }
    const began = clock.now();
    const over = this.#late.begin();
    try {
      const deadline = Deadline.of({ timeoutMs: limitMs, signal });
      // Connections are nobody's: what a socket tells later must not be told in the context of the call that opened it.
      const connection = await outsideRequests(() => factory.connect(deadline));
      connection.generation = generation;
      this.#backoff = NO_BACKOFF;
      this.#madeAt = clock.now();
      ticket?.success();
      hooks.onConnected?.(connection);
      return new PoolSlot(connection, expiryOf(clock.now(), lifetimeMs));
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(describeError(thrown));
      ticket?.failure(error);
      if (isStormlampError(error, ErrorCode.ABORTED)) return new FailedSlot(error);
      // One that was lost long before another was made says nothing about the next.
      const isOutdated = this.#madeAt >= began + LATE_AFTER_MS;
      if (!isOutdated) this.#backoff = afterFailure(this.#backoff, error, clock.now());
      hooks.onConnectError?.(error);
      return new FailedSlot(error, isOutdated);
    } finally {
      over();
    }
  }
}

/** The end of a connection's life: `lifetimeMs` from `now` less up to a tenth; never when `lifetimeMs` is 0. */
function expiryOf(now: number, lifetimeMs: number, random: () => number = Math.random): number {
  return lifetimeMs === 0 ? Number.POSITIVE_INFINITY : now + lifetimeMs * (1 - 0.1 * random());
}
