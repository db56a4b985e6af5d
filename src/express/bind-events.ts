/** Keeps what is told by the events of a request in the request's own asynchronous context. */
import { AsyncResource } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';

/** Where the events of an emitter are told. */
const CONTEXTS = new WeakMap<EventEmitter, { resource: AsyncResource }>();

/**
 * Tells the events of `emitter` in the present asynchronous context from now on: those of a body come from the socket, whose
 * context knows nothing of what middleware set up, and a reader of bodies that goes on in one takes the handlers behind it there.
 * Called again, the later context counts, which is within the earlier one.
 */
export function bindEvents(emitter: EventEmitter): void {
  const known = CONTEXTS.get(emitter);
  const resource = new AsyncResource('stormlamp.Request');
  if (known !== undefined) {
    known.resource = resource;
    return;
  }
  const context = { resource };
  CONTEXTS.set(emitter, context);
  const { emit } = emitter;
  emitter.emit = (...told: Parameters<EventEmitter['emit']>) =>
    context.resource.runInAsyncScope(emit, emitter, ...told);
}
