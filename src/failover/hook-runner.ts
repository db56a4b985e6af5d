/** Runs hooks one after the other, each within its time, none after the end. */
import { type Clock, systemClock } from '../common/clock.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { HookContext } from './failover-hooks.js';

/** Where the runner reports to. */
export interface HookReports {
  /** A hook threw, rejected or took too long. */
  readonly failed: (hook: string, error: Error) => void;
  /** A hook wrote a line. */
  readonly logged: (hook: string, message: string) => void;
}

/** A queue of hooks. */
export class HookRunner {
  readonly #reports: HookReports;
  readonly #clock: Clock;
  readonly #ended = new AbortController();
  #last: Promise<void> = Promise.resolve();

  /** Makes an empty queue. */
  constructor(reports: HookReports, clock: Clock = systemClock) {
    this.#reports = reports;
    this.#clock = clock;
  }

  /** Adds a hook at the end of the queue; resolves when it ended in whatever way. */
  run<T extends object>(
    name: string,
    hook: ((event: T & HookContext) => unknown) | undefined,
    event: T,
    timeoutMs: number,
  ): Promise<void> {
    if (hook === undefined) return this.#last;
    this.#last = this.#last.then(() => this.#runNow(name, hook, event, timeoutMs));
    return this.#last;
  }

  /** Aborts the running hook, forgets those that wait, and resolves when the running one was given up. */
  async close(): Promise<void> {
    this.#ended.abort();
    await this.#last;
  }

  async #runNow<T extends object>(
    name: string,
    hook: (event: T & HookContext) => unknown,
    event: T,
    timeoutMs: number,
  ): Promise<void> {
    if (this.#ended.signal.aborted) return;
    const abort = new AbortController();
    const given = new Promise<never>((_, reject) => {
      abort.signal.addEventListener('abort', () => reject(abort.signal.reason), { once: true });
    });
    const timer = setTimeout(
      () => abort.abort(late(`Hook '${name}' did not end within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const onEnd = (): void => abort.abort(late(`Hook '${name}' was given up because the manager closes`));
    this.#ended.signal.addEventListener('abort', onEnd, { once: true });
    try {
      const log = (message: string): void => this.#reports.logged(name, message);
      const context: HookContext = { signal: abort.signal, deadline: this.#clock.now() + timeoutMs, log };
      const work = Promise.resolve(hook({ ...event, ...context }));
      // When its time is over nobody listens to it any more.
      work.catch(() => {});
      await Promise.race([work, given]);
    } catch (error) {
      this.#reports.failed(name, error instanceof Error ? error : new Error(String(error)));
    } finally {
      clearTimeout(timer);
      this.#ended.signal.removeEventListener('abort', onEnd);
    }
  }
}

function late(message: string): StormlampError {
  return new StormlampError(ErrorCode.TIMEOUT, message);
}
