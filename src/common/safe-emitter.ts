/** Events that can harm nobody: a listener that throws or rejects is reported as a process warning, never to the emitter. */
import { EventEmitter } from 'node:events';
import { describeError } from './stormlamp-error.js';

/** Names of events and the payloads that their listeners get. */
export type EventMap<T> = { [K in keyof T]: [payload: T[K]] };

/** A typed `EventEmitter` whose `emit` never throws. `T` maps event names to payload types. */
export class SafeEmitter<T extends object> extends EventEmitter<EventMap<T>> {
  /** Calls every listener of `event`; true if there was one. */
  publish<K extends keyof T & string>(event: K, payload: T[K]): boolean {
    const listeners = this.rawListeners(event as never) as unknown as ((payload: T[K]) => unknown)[];
    for (const listener of listeners) {
      try {
        const result = listener.call(this, payload);
        if (result instanceof Promise) result.catch((error: unknown) => warn(event, error));
      } catch (error) {
        warn(event, error);
      }
    }
    return listeners.length > 0;
  }
}

function warn(event: string, error: unknown): void {
  process.emitWarning(`A listener of '${event}' failed: ${describeError(error)}`, {
    type: 'StormlampListenerWarning',
  });
}
