/** Delays between retries: exponential with full jitter, so that many clients do not come back at once. */

/** How delays grow. */
export interface BackoffOptions {
  /** Upper bound of the first delay in milliseconds. */
  readonly firstMs: number;
  /** Upper bound of every delay in milliseconds. */
  readonly maxMs: number;
  /** Growth per attempt. */
  readonly factor?: number;
}

/**
 * The delay before retry number `attempt` (0 is the first): uniform in the upper half of an exponentially growing
 * window, so that a delay is never close to zero.
 */
export function backoffMs(
  attempt: number,
  options: BackoffOptions,
  random: () => number = Math.random,
): number {
  const { firstMs, maxMs, factor = 2 } = options;
  const window = Math.min(maxMs, firstMs * factor ** Math.min(attempt, 64));
  return window / 2 + (window / 2) * random();
}

/** Resolves after `ms`, or as soon as `signal` fires. Never rejects; the timer does not keep the process alive. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    timer.unref();
    signal?.addEventListener('abort', done, { once: true });
  });
}
