/** Runs what outlives a request outside of it, so that nothing which happens later is taken for a part of that request. */
import { AsyncResource } from 'node:async_hooks';

/** Made before any request, and in none. */
const OUTSIDE = new AsyncResource('stormlamp');

/**
 * Runs `fn` in no request's asynchronous context: for sockets, timers and loops that are begun on behalf of one request and
 * then serve others, too. What awaits its result goes on in the context of the caller.
 */
export function outsideRequests<T>(fn: () => T): T {
  return OUTSIDE.runInAsyncScope(fn);
}
