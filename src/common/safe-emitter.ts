/** Events that can harm nobody: a listener that throws or rejects is reported as a process warning, never to the emitter. */
import { EventEmitter } from 'node:events';
import { callListener } from './safe-listener.js';

/** Names of events and the payloads that their listeners get. */
export type EventMap<T> = { [K in keyof T]: [payload: T[K]] };

/** A typed `EventEmitter` whose `emit` never throws. `T` maps event names to payload types. */
export class SafeEmitter<T extends object> extends EventEmitter<EventMap<T>> {
  /** Calls every listener of `event`; true if there was one. */
  publish<K extends keyof T & string>(event: K, payload: T[K]): boolean {
    const listeners = this.rawListeners(event as never) as unknown as ((payload: T[K]) => unknown)[];
    for (const listener of listeners) {
      callListener(`A listener of '${event}'`, () => listener.call(this, payload));
    }
    return listeners.length > 0;
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
