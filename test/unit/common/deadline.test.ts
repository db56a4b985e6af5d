import { getMaxListeners, once, setMaxListeners } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';

const never = new Promise<never>(() => {});

test('a deadline without a limit and signal hands the work through', async () => {
  const deadline = Deadline.of(undefined);
  const work = Promise.resolve(1);
  expect(deadline.race('work', work)).toBe(work);
  expect(deadline.remainingMs()).toBe(Number.POSITIVE_INFINITY);
});

test('work that outlives its deadline rejects with ERR_TIMEOUT and delivers its late value to the cleaner', async () => {
  let finish: (value: string) => void = () => {};
  const work = new Promise<string>((resolve) => {
    finish = resolve;
  });
  const late: string[] = [];
  const raced = Deadline.of({ timeoutMs: 5 }).race('Connecting to db1', work, (value) => late.push(value));
  await expect(raced).rejects.toMatchObject({
    code: 'ERR_TIMEOUT',
    message: 'Connecting to db1 did not finish within 5 ms',
  });
  finish('connection');
  await work;
  expect(late).toEqual(['connection']);
});

test('a fired signal rejects with ERR_ABORTED and its reason as the cause', async () => {
  const controller = new AbortController();
  const raced = Deadline.of({ signal: controller.signal }).race('The query', never);
  controller.abort('gone');
  await expect(raced).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: 'gone' });
  await expect(Deadline.of({ signal: controller.signal }).race('The query', never)).rejects.toMatchObject({
    code: 'ERR_ABORTED',
  });
});

test('a narrower deadline never outlives the wider one', () => {
  const wide = Deadline.of({ timeoutMs: 50 });
  expect(wide.within(10_000).at).toBeLessThanOrEqual(wide.at + 1);
  expect(wide.within(10).at).toBeLessThan(wide.at);
  expect(Deadline.of(undefined).within(0).at).toBe(Number.POSITIVE_INFINITY);
});

test('check throws once the time is over', async () => {
  const deadline = Deadline.of({ timeoutMs: 1 });
  await expect(deadline.race('x', never)).rejects.toThrow();
  // Timers may fire a little early.
  while (deadline.remainingMs() > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(() => deadline.check('Saving')).toThrow('Saving did not finish within 1 ms');
});

test('many calls may share one signal without a warning, and a limit that its owner set stays', async () => {
  const warnings: string[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning.name);
  process.on('warning', onWarning);
  const controller = new AbortController();
  const calls = Array.from({ length: 50 }, () => Deadline.of({ signal: controller.signal }).race('x', never));
  const owned = new AbortController();
  setMaxListeners(7, owned.signal);
  Deadline.of({ signal: owned.signal });
  expect(getMaxListeners(owned.signal)).toBe(7);
  controller.abort();
  await Promise.allSettled(calls);
  await new Promise((done) => setImmediate(done));
  process.off('warning', onWarning);
  expect(warnings).toEqual([]);
});

test.each([
  [{ signal: new AbortController() }, 'Expected `signal` to be an AbortSignal'],
  [{ signal: {} }, 'Expected `signal` to be an AbortSignal'],
  [{ signal: null }, 'Expected `signal` to be an AbortSignal'],
  [{ timeoutMs: Number.NaN }, 'Expected `timeoutMs` to be a number >= 0, got `NaN` (number)'],
  [{ timeoutMs: -5 }, 'Expected `timeoutMs` to be a number >= 0, got `-5` (number)'],
  [{ timeoutMs: '5' }, 'Expected `timeoutMs` to be a number >= 0, got `5` (string)'],
])('limits that are none are refused before anything starts: %j', (options, message) => {
  expect(() => Deadline.of(options as never)).toThrow(message);
});

test.each([
  [{ timeoutms: 5 }, 'Unknown option `options.timeoutms`; did you mean `timeoutMs`?'],
  [{ abort: 5 }, 'Unknown option `options.abort`; known options: timeoutMs, signal, lock'],
  [null, 'Expected `options` to be an object, got `null`'],
  [250, 'Expected `options` to be an object, got `250` (number)'],
])('a call refuses %j, which would be no limit', (options, message) => {
  expect(() => Deadline.ofCall(options as never, 0, ['lock'])).toThrow(message);
});

test('a call takes its limits, and the names that it has besides', () => {
  expect(Deadline.ofCall(undefined, 50).remainingMs()).toBeLessThanOrEqual(50);
  const options = { timeoutMs: 20, lock: true };
  expect(Deadline.ofCall(options, 0, ['lock']).remainingMs()).toBeLessThanOrEqual(20);
});

test('an answer that came while this process stalled is read before its deadline is called passed', async () => {
  const server = createServer((socket) => socket.end('answer'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const socket: Socket = connect(port, '127.0.0.1');
  const answer = once(socket, 'data').then(([data]) => String(data));
  const raced = Deadline.of({ timeoutMs: 300 }).race('The answer', answer);
  await once(socket, 'connect');
  const until = performance.now() + 500;
  // The answer, which the same process sends, arrives in the poll phase after the timers.
  setImmediate(() => {
    while (performance.now() < until);
  });
  await expect(raced).resolves.toBe('answer');
  server.close();
});
