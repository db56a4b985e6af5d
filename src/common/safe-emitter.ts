/** Events that can harm nobody: a listener that throws or rejects is reported as a process warning, never to the emitter. */
import { EventEmitter } from 'node:events';
import { callListener } from './safe-listener.js';

/** Names of events and the payloads that their listeners get. */
export type EventMap<T> = { [K in keyof T]: [payload: T[K]] };

/** So many payloads of an event are kept for whoever listens first, and for so long, in milliseconds. */
const KEPT_LIMIT = 64;
const KEPT_MS = 60_000;

interface Kept {
  readonly at: number;
  readonly payload: unknown;
}

/** A typed `EventEmitter` whose `emit` never throws. `T` maps event names to payload types. */
export class SafeEmitter<T extends object> extends EventEmitter<EventMap<T>> {
  readonly #kept = new Map<string, Kept[]>();

  /** Calls every listener of `event`; true if there was one. */
  publish<K extends keyof T & string>(event: K, payload: T[K]): boolean {
    const listeners = this.rawListeners(event as never) as unknown as ((payload: T[K]) => unknown)[];
    for (const listener of listeners) {
      callListener(`A listener of '${event}'`, () => listener.call(this, payload));
    }
    return listeners.length > 0;
  }

  /**
   * The same as `publish`; while nobody listens, the last payloads are kept for a minute for whoever is the first: what goes
   * wrong while an object starts happens before anybody can listen to it.
   */
  protected publishOrKeep<K extends keyof T & string>(event: K, payload: T[K]): void {
    if (this.publish(event, payload)) return;
    const kept = this.#kept.get(event) ?? [];
    if (!this.#kept.has(event)) {
      this.#kept.set(event, kept);
      // Whoever listens to one event is about to listen to others, too.
      this.beforeFirst(event, () => setImmediate(() => this.#tellKept(event, kept.splice(0))));
    }
    if (kept.length === KEPT_LIMIT) kept.shift();
    kept.push({ at: performance.now(), payload });
  }

  #tellKept(event: keyof T & string, kept: readonly Kept[]): void {
    const since = performance.now() - KEPT_MS;
    for (const { at, payload } of kept) if (at >= since) this.publish(event, payload as T[typeof event]);
  }

  /** Calls `work` whenever `event` is about to get its first listener. */
  protected beforeFirst(event: keyof T & string, work: () => void): void {
    EventEmitter.prototype.on.call(this, 'newListener', (added: unknown) => {
      if (added === event && this.listenerCount(event as never) === 0) work();
    });
  }

  /** Calls every listener of `event`, and gives what each returned, or a rejection with what it threw. */
  ask<K extends keyof T & string>(event: K, payload: T[K]): unknown[] {
    const listeners = this.rawListeners(event as never) as unknown as ((payload: T[K]) => unknown)[];
    return listeners.flatMap((listener) => {
      try {
        return listener.call(this, payload);
      } catch (error) {
        return Promise.reject(error);
      }
    });
  }
}
