import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { bindEvents } from '../../../src/express/bind-events.js';

test('events are told where they were bound last, to their emitter’s listeners, and the answer is passed on', () => {
  const [scopes, requests] = [new AsyncLocalStorage<string>(), new AsyncLocalStorage<string>()];
  const emitter = new EventEmitter();
  const seen: unknown[] = [];
  emitter.on('data', function (this: unknown, ...told: unknown[]) {
    seen.push([this === emitter, told, scopes.getStore(), requests.getStore()]);
  });
  requests.run('a request', () => {
    bindEvents(emitter);
    scopes.run('a scope', () => bindEvents(emitter));
  });
  const told = scopes.run('of the socket', () => emitter.emit('data', 1, 2));
  expect(told).toBe(true);
  expect(emitter.emit('end')).toBe(false);
  expect(seen).toEqual([[true, [1, 2], 'a scope', 'a request']]);
});

test('what a listener throws comes out as before', () => {
  const emitter = new EventEmitter().on('data', () => {
    throw new Error('of a listener');
  });
  bindEvents(emitter);
  expect(() => emitter.emit('data')).toThrow('of a listener');
});
