/** Values that this process is getting at the moment: whoever asks for one meanwhile waits for the same. */

interface LocalFlight<T> {
  readonly value: Promise<T>;
  readonly tags: readonly string[];
  readonly begunAt: number;
}

/** See the head of this file. */
export class LocalFlights<T> {
  readonly #flights = new Map<string, LocalFlight<T>>();

  /**
   * The value that is being got, or begins to get it. What was begun before the value was removed or changed is not joined, nor what
   * takes longer than `patienceMs`.
   */
  join(key: string, tags: readonly string[], patienceMs: number, begin: () => Promise<T>): Promise<T> {
    const known = this.#flights.get(key);
    if (known !== undefined && performance.now() - known.begunAt < patienceMs) return known.value;
    const value = begin().finally(() => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    });
    const flight: LocalFlight<T> = { value, tags, begunAt: performance.now() };
    this.#flights.set(key, flight);
    return value;
  }

  /** All that are under way. */
  all(): readonly Promise<T>[] {
    return [...this.#flights.values()].map(({ value }) => value);
  }

  /** Nobody joins the flight of this key any more. */
  delete(key: string): void {
    this.#flights.delete(key);
  }

  /** Nobody joins flights of values with this tag any more. */
  deleteTag(tag: string): void {
    for (const [key, { tags }] of this.#flights) if (tags.includes(tag)) this.#flights.delete(key);
  }

  /** Nobody joins any flight any more. */
  clear(): void {
    this.#flights.clear();
  }
}

/** Waits until all of `work` is settled, but not longer than `limitMs`. Never rejects. */
export async function settledWithin(limitMs: number, work: readonly Promise<unknown>[]): Promise<void> {
  if (work.length === 0) return;
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([Promise.allSettled(work), limit]);
  clearTimeout(timer);
}
