import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { afterEach, expect, test, vi } from 'vitest';
import { EventStreams } from '../../../src/dashboard/event-stream.js';

afterEach(() => {
  vi.useRealTimers();
});

/** A page that takes what is sent when it is told to. */
class Page extends Writable {
  taken = '';
  #take: (() => void) | undefined;
  constructor() {
    super({ highWaterMark: 1_000 });
  }
  writeHead(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#take = () => {
      this.taken += String(chunk);
      done();
    };
  }
  async takeAll(): Promise<void> {
    while (this.writableLength > 0) {
      this.#take?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

const stays = (): Promise<boolean> => Promise.resolve(true);
const LARGE = 'x'.repeat(5_000_000);
const open = (streams: EventStreams): Page => {
  const page = new Page();
  streams.add(page as unknown as ServerResponse, stays);
  streams.send(page as unknown as ServerResponse, 'state', LARGE);
  return page;
};

test('a page that is slow to take a large first state misses events, stays open, and goes on', async () => {
  const streams = new EventStreams(() => undefined);
  const page = open(streams);
  const kept = page.writableLength;
  for (let n = 0; n < 20; n += 1) streams.broadcast('state', n);
  expect([page.destroyed, page.writableLength]).toEqual([false, kept]);
  await page.takeAll();
  streams.broadcast('state', 'after');
  await page.takeAll();
  expect(page.taken).toContain('data: "after"');
  expect(page.taken).not.toContain('data: 19');
});

test('a page that never takes anything is given up, and counts no more', async () => {
  const counts: number[] = [];
  const streams = new EventStreams((count) => counts.push(count));
  const page = open(streams);
  for (let n = 0; n < 31; n += 1) streams.broadcast('state', n);
  await new Promise((resolve) => page.once('close', resolve));
  expect([page.destroyed, streams.count, counts]).toEqual([true, 0, [1, 0]]);
});

test('a page that is gone before it is added does not count', () => {
  const counts: number[] = [];
  const streams = new EventStreams((count) => counts.push(count));
  const page = new Page();
  page.destroy();
  expect(streams.add(page as unknown as ServerResponse, stays)).toBe(false);
  expect([streams.count, counts]).toEqual([0, []]);
});

test('a page is asked about again, and ends when it may not stay', async () => {
  vi.useFakeTimers();
  const streams = new EventStreams(() => undefined);
  const answers: (() => Promise<boolean>)[] = [
    () => Promise.resolve(true),
    () => Promise.resolve(false),
    () => Promise.reject(new Error('no')),
    () => new Promise(() => undefined),
  ];
  const pages = answers.map((mayStay) => {
    const page = new Page();
    streams.add(page as unknown as ServerResponse, mayStay);
    return page;
  });
  const left = (): readonly boolean[] => pages.map(({ destroyed }) => !destroyed);
  expect(left()).toEqual([true, true, true, true]);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(left()).toEqual([true, false, false, true]);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(left()).toEqual([true, false, false, false]);
  expect(streams.count).toBe(1);
  pages[0]?.destroy();
  await vi.advanceTimersByTimeAsync(0);
  expect([streams.count, vi.getTimerCount()]).toEqual([0, 0]);
});

test('where all places are taken, the page that was served for longest makes room, not before a minute', async () => {
  vi.useFakeTimers();
  const counts: number[] = [];
  const streams = new EventStreams((count) => counts.push(count));
  const enter = (): Page | undefined => {
    if (!streams.makeRoom()) return undefined;
    const page = new Page();
    streams.add(page as unknown as ServerResponse, stays);
    return page;
  };
  const pages: (Page | undefined)[] = [];
  for (let n = 0; n < 20; n += 1) {
    pages.push(enter());
    await vi.advanceTimersByTimeAsync(1_000);
  }
  expect([pages.every((page) => page !== undefined), enter()]).toEqual([true, undefined]);
  await vi.advanceTimersByTimeAsync(40_000);
  expect(enter()).toBeDefined();
  expect(pages.map((page) => page?.destroyed)).toEqual([true, ...Array.from({ length: 19 }, () => false)]);
  expect([streams.count, counts.at(-1)]).toEqual([20, 20]);
  // The next one has had its place for 59 s.
  expect(enter()).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(enter()).toBeDefined();
  expect(pages[1]?.destroyed).toBe(true);
  streams.close();
});

test('after the end no page is taken', () => {
  const counts: number[] = [];
  const streams = new EventStreams((count) => counts.push(count));
  streams.close();
  expect(streams.makeRoom()).toBe(false);
  expect(streams.add(new Page() as unknown as ServerResponse, stays)).toBe(false);
  expect(counts).toEqual([]);
});
