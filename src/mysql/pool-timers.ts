/** The two timers of a node's pool. Neither keeps the process alive. */
export class PoolTimers {
  #sweep: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;

  /** Calls `work` every `intervalMs`, until {@link PoolTimers.stopSweeping}; nothing when that is already so. */
  startSweeping(intervalMs: number, work: () => void): void {
    if (this.#sweep !== undefined) return;
    this.#sweep = setInterval(work, intervalMs);
    this.#sweep.unref();
  }

  /** Ends what {@link PoolTimers.startSweeping} began. */
  stopSweeping(): void {
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  /** Calls `work` once after `waitMs`; nothing when a call is already due. */
  retryIn(waitMs: number, work: () => void): void {
    if (this.#retry !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      work();
    }, waitMs);
    this.#retry.unref();
  }

  /** Ends both. */
  stop(): void {
    this.stopSweeping();
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }
}
