/** Lets many calls share one AbortSignal without Node's warning of a leak at the eleventh listener. */
import { getMaxListeners, setMaxListeners } from 'node:events';

/** Node's limit for event targets whose owner has not set one. */
const DEFAULT_LIMIT = 10;

/** Lifts the limit of a signal whose owner has not set one. */
export function allowManyListeners(signal: AbortSignal): void {
  if (limitOf(signal) === DEFAULT_LIMIT) setMaxListeners(Number.POSITIVE_INFINITY, signal);
}

function limitOf(signal: AbortSignal): number {
  try {
    return getMaxListeners(signal);
  } catch {
    // Node 20 throws for a target whose limit was set to 0.
    return 0;
  }
}
