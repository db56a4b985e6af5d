/** Calls of other people's listeners that can harm nobody: what one throws or rejects with becomes a process warning. */
import { describeError } from './stormlamp-error.js';

/** `listener`, which from now on neither throws nor leaves a rejection behind; warnings call it `name`. */
export function safeListener<T>(name: string, listener: (payload: T) => unknown): (payload: T) => void {
  return (payload) => callListener(name, () => listener(payload));
}

/** Calls a listener; warnings call it `name`. */
export function callListener(name: string, call: () => unknown): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch((error: unknown) => warn(name, error));
  } catch (error) {
    warn(name, error);
  }
}

function warn(name: string, error: unknown): void {
  process.emitWarning(`${name} failed: ${describeError(error)}`, { type: 'StormlampListenerWarning' });
}
