/** Values that this process is getting at the moment: whoever asks for one meanwhile waits for the same. */
import { AsyncLocalStorage } from 'node:async_hooks';

interface LocalFlight<T> {
  readonly id: symbol;
  readonly value: Promise<T>;
  readonly tags: readonly string[];
  readonly begunAt: number;
}

/** What is under way in this process, of whichever cache, and what waits for it. */
const WAITING = new Map<symbol, Set<symbol>>();
/** The flights that whoever asks is a part of. */
const AROUND = new AsyncLocalStorage<readonly symbol[]>();

/** See the head of this file. */
export class LocalFlights<T> {
  // A key has several when they are for different tags.
  readonly #flights = new Map<string, readonly LocalFlight<T>[]>();

  /**
   * The value that is being got with all of `tags`, or begins to get it. What was begun before the value was removed or changed is not
   * joined, nor what takes longer than `patienceMs`, nor what waits for the caller, or for something that does.
   */
  join(key: string, tags: readonly string[], patienceMs: number, begin: () => Promise<T>): Promise<T> {
    const now = performance.now();
    const fresh = this.#of(key).filter(({ begunAt }) => now - begunAt < patienceMs);
    // What is over is left out: work that goes on behind a flight may begin the next one, again and again.
    const around = (AROUND.getStore() ?? []).filter((id) => WAITING.has(id));
    const waiting = allThatWaitFor(around);
    const known = fresh.find(
      (flight) => !waiting.has(flight.id) && tags.every((tag) => flight.tags.includes(tag)),
    );
    if (known !== undefined) {
      for (const id of around) WAITING.get(known.id)?.add(id);
      return known.value;
    }
    const id = Symbol(key);
    WAITING.set(id, new Set(around));
    const value = AROUND.run([...around, id], begin).finally(() => {
      WAITING.delete(id);
      this.#keep(key, (other) => other.id !== id);
    });
    this.#flights.set(key, [...fresh, { id, value, tags, begunAt: now }]);
    return value;
  }

  /** All that are under way. */
  all(): readonly Promise<T>[] {
    return [...this.#flights.values()].flat().map(({ value }) => value);
  }

  /** Nobody joins the flights of this key any more. */
  delete(key: string): void {
    this.#flights.delete(key);
  }

  /** Nobody joins flights of values with this tag any more. */
  deleteTag(tag: string): void {
    for (const key of this.#flights.keys()) this.#keep(key, ({ tags }) => !tags.includes(tag));
  }

  /** Nobody joins any flight any more. */
  clear(): void {
    this.#flights.clear();
  }

  #of(key: string): readonly LocalFlight<T>[] {
    return this.#flights.get(key) ?? [];
  }

  #keep(key: string, which: (flight: LocalFlight<T>) => boolean): void {
    const kept = this.#of(key).filter(which);
    if (kept.length > 0) this.#flights.set(key, kept);
    else this.#flights.delete(key);
  }
}

/** These flights, and what waits for one of them. */
function allThatWaitFor(flights: readonly symbol[]): ReadonlySet<symbol> {
  const all = new Set(flights);
  // A Set goes on to what is added to it meanwhile.
  for (const id of all) for (const other of WAITING.get(id) ?? []) all.add(other);
  return all;
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
