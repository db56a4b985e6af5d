/** Those who wait until something has changed, and then look for themselves. */
export class Waiters {
  #waiting: (() => void)[] = [];

  /** Until the next change. */
  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Something has changed. */
  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
