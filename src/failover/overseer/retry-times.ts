/** When what has failed on a node is tried there again. */
import { type BackoffOptions, backoffMs } from '../../common/backoff.js';
import type { NodeId } from '../../common/node-address.js';
import { classifyServerError } from '../../mysql/server-error.js';

/** How long it is left alone. */
export interface RetryPolicy {
  /** After what may pass by itself: a lock that was not to be had, a connection that was lost. */
  readonly passing: BackoffOptions;
  /** After the account was refused for want of a privilege, milliseconds. */
  readonly refusedMs: number;
}

/** Remembers failures by node. */
export class RetryTimes {
  readonly #policy: RetryPolicy;
  readonly #failures = new Map<NodeId, { readonly times: number; readonly until: number }>();

  /** Knows of none yet. */
  constructor(policy: RetryPolicy) {
    this.#policy = policy;
  }

  /** Whether it may be tried on `node` now. */
  mayTry(node: NodeId): boolean {
    return performance.now() >= (this.#failures.get(node)?.until ?? Number.NEGATIVE_INFINITY);
  }

  /** It has failed on `node` with `errors`; without any, nobody knows why. */
  failed(node: NodeId, errors: readonly unknown[]): void {
    const { passing, refusedMs } = this.#policy;
    const now = performance.now();
    const isRefused =
      errors.length > 0 && errors.every((error) => classifyServerError(error).kind === 'access');
    const before = this.#failures.get(node);
    // What was long ago has nothing to do with it.
    const times = isRefused || before === undefined || now - before.until > passing.maxMs ? 0 : before.times;
    const pauseMs = isRefused ? refusedMs : backoffMs(times, passing);
    this.#failures.set(node, { times: isRefused ? 0 : times + 1, until: now + pauseMs });
  }

  /** It was done on `node`. */
  done(node: NodeId): void {
    this.#failures.delete(node);
  }
}
