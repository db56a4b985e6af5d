import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter, once } from 'node:events';
import { Readable } from 'node:stream';
import type { Query } from 'mysql2';
import { afterEach, expect, test, vi } from 'vitest';
import { DeferredCommand, UNREAD_MS } from '../../../src/mysql/deferred-command.js';
import { readStatement } from '../../../src/mysql/statement.js';

/** As much of the driver's command as is needed. */
class MadeUpCommand extends EventEmitter {
  source: Readable | undefined;

  stream(): Readable {
    this.source = new Readable({ objectMode: true, read: () => undefined });
    return this.source;
  }
}

function made(): { command: DeferredCommand; driver: MadeUpCommand & Query } {
  const command = new DeferredCommand(readStatement('query', 'SELECT 1', undefined));
  return { command, driver: new MadeUpCommand() as MadeUpCommand & Query };
}

afterEach(() => {
  vi.restoreAllMocks();
});

test('rows and fields are passed on as events, then the end', () => {
  const { command, driver } = made();
  const seen: unknown[] = [];
  command.on('fields', (fields) => seen.push(fields));
  command.on('result', (row) => seen.push(row));
  command.on('end', () => seen.push('end'));
  expect(command.delivered).toBe(false);
  command.attach(driver);
  driver.emit('fields', ['f']);
  driver.emit('result', { a: 1 }, 0);
  expect(command.delivered).toBe(true);
  command.settle(undefined);
  command.settle(undefined);
  expect(seen).toEqual([['f'], { a: 1 }, 'end']);
});

test('an error goes to its listeners, and to a warning when there are none', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const heard = made().command;
  const errors: unknown[] = [];
  heard.on('error', (error) => errors.push(error));
  heard.settle(new Error('heard'));
  expect(errors).toHaveLength(1);
  expect(warn).not.toHaveBeenCalled();
  made().command.settle(new Error('unheard'));
  expect(warn).toHaveBeenCalledWith(expect.stringContaining('unheard'), expect.anything());
});

test('the stream is there before the driver’s command is', async () => {
  const { command, driver } = made();
  const stream = command.stream();
  expect(command.stream()).toBe(stream);
  const reading = stream.toArray();
  command.attach(driver);
  driver.source?.push({ a: 1 });
  driver.source?.push({ a: 2 });
  driver.source?.push(null);
  command.settle(undefined);
  expect(await reading).toEqual([{ a: 1 }, { a: 2 }]);
});

test('a failure destroys the stream with its error', async () => {
  const { command, driver } = made();
  const reading = command.stream().toArray();
  command.attach(driver);
  command.settle(new Error('gone'));
  await expect(reading).rejects.toThrow('gone');
});

test('giving the stream up is told once, and is no error', async () => {
  const { command, driver } = made();
  const stream = command.stream();
  let abandoned = 0;
  command.onAbandoned = () => {
    abandoned += 1;
  };
  command.attach(driver);
  const errors: unknown[] = [];
  command.on('error', (error) => errors.push(error));
  stream.destroy();
  await new Promise((resolve) => stream.once('close', resolve));
  command.settle(new Error('killed'));
  expect(abandoned).toBe(1);
  expect(errors).toEqual([]);
  expect(command.abandoned).toBe(true);
});

test('a stream that nobody reads is given up some time after its connection was released; one that is read is not', () => {
  vi.useFakeTimers();
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  try {
    const { command: unread } = made();
    const { command: late } = made();
    const { command: gone } = made();
    const left: string[] = [];
    for (const [name, command] of Object.entries({ unread, late, gone })) {
      command.onAbandoned = () => left.push(name);
      command.stream();
      command.abandonUnread();
    }
    vi.advanceTimersByTime(UNREAD_MS - 1);
    expect(left).toEqual([]);
    const reader = (): void => undefined;
    late.stream().on('data', reader);
    gone.stream().on('data', reader);
    vi.advanceTimersByTime(UNREAD_MS);
    expect(left).toEqual(['unread']);
    expect(warn).toHaveBeenCalledTimes(1);
    // Whoever read it went away.
    gone.stream().off('data', reader);
    vi.advanceTimersByTime(UNREAD_MS);
    expect(left).toEqual(['unread', 'gone']);
    late.settle(undefined);
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1);
    vi.advanceTimersByTime(UNREAD_MS);
    expect(vi.getTimerCount()).toBe(0);
    expect(left).toEqual(['unread', 'gone']);
  } finally {
    vi.useRealTimers();
  }
});

test('everything is told in the context of the call, wherever the connection was opened', async () => {
  const storage = new AsyncLocalStorage<string>();
  const heard = new Set<string>();
  const note = (what: string) => () => void heard.add(`${what}: ${storage.getStore()}`);
  const [plain, streamed, failed] = storage.run('the caller', () => {
    const each = [made(), made(), made()] as const;
    for (const name of ['fields', 'result', 'error', 'end'])
      for (const { command } of each) command.on(name, note(name));
    const stream = each[1].command.stream();
    for (const name of ['fields', 'result', 'data', 'end', 'close']) stream.on(name, note(`stream ${name}`));
    return each;
  });
  const closed = once(streamed.command.stream(), 'close');
  storage.run('the connection', () => {
    for (const { command, driver } of [plain, streamed, failed]) {
      command.attach(driver);
      driver.emit('fields', ['f']);
    }
    plain.driver.emit('result', { a: 1 }, 0);
    streamed.driver.source?.push({ a: 1 });
    streamed.driver.source?.push(null);
    plain.command.settle(undefined);
    streamed.command.settle(undefined);
    failed.command.settle(new Error('no'));
  });
  await closed;
  const told = ['fields', 'result', 'error', 'end'];
  const streams = ['fields', 'result', 'data', 'end', 'close'].map((name) => `stream ${name}`);
  expect([...heard].sort()).toEqual([...told, ...streams].map((what) => `${what}: the caller`).sort());
});
