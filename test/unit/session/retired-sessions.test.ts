import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { encodeRetiredNote } from '../../../src/session/retired-note.js';
import { RetiredSessions } from '../../../src/session/retired-sessions.js';

let done: string[];
let failing: boolean;
let held: Set<string>;
let retired: RetiredSessions;
beforeEach(() => {
  vi.useFakeTimers();
  done = [];
  failing = false;
  held = new Set();
  retired = new RetiredSessions({
    note: async (id, { successor }) => void done.push(`note ${id} ${successor}`),
    holds: async (id) => held.has(id),
    destroy: async (id) => {
      if (failing) throw new Error('down');
      done.push(`destroy ${id}`);
    },
    shorten: async (id, remainingMs) => void done.push(`shorten ${id} ${remainingMs}`),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

test('a replaced session is shortened at once and removed after its time', async () => {
  await retired.retire('old', 'new', 5_000);
  expect(done).toEqual(['note old new', 'shorten old 5000']);
  await vi.advanceTimersByTimeAsync(4_999);
  expect(done).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(done).toEqual(['note old new', 'shorten old 5000', 'destroy old']);
});

test('without a time it is removed at once, and a failure is told', async () => {
  await retired.retire('old', 'new', 0);
  expect(done).toEqual(['destroy old']);
  failing = true;
  await expect(retired.retire('other', 'new', 0)).rejects.toThrow('down');
});

test('a whole chain of replaced sessions is taken with the last one, once', async () => {
  await retired.retire('a', 'b', 5_000);
  await retired.retire('b', 'c', 5_000);
  await retired.retire('x', 'y', 5_000);
  expect(retired.take('c')).toEqual(['b', 'a']);
  expect(retired.take('c')).toEqual([]);
  done = [];
  await retired.close();
  expect(done).toEqual(['destroy x']);
  await vi.runAllTimersAsync();
  expect(done).toEqual(['destroy x']);
});

test('a removal that fails harms nobody', async () => {
  await retired.retire('old', 'new', 5_000);
  failing = true;
  await vi.advanceTimersByTimeAsync(5_000);
  await expect(retired.close()).resolves.toBeUndefined();
});

test('one that another process replaced goes on as long as its successor does, and is then removed', async () => {
  const note = encodeRetiredNote({ successor: 'new', endsAt: Date.now() + 5_000 });
  held.add('new');
  expect(await retired.isOver('old', note, 0)).toBe(false);
  expect(retired.endOf('old')).toBe(Date.now() + 5_000);
  expect(retired.take('new')).toEqual(['old']);
  expect(await retired.isOver('old', note, 0)).toBe(false);
  held.clear();
  expect(await retired.isOver('old', note, 0)).toBe(true);
  expect(done).toEqual(['destroy old']);
  expect(retired.endOf('old')).toBeUndefined();
});

test('its moment ends by the note, whoever is there to end it, and notes that lead in a circle end', async () => {
  const note = encodeRetiredNote({ successor: 'new', endsAt: Date.now() + 5_000 });
  held.add('new');
  expect(await retired.isOver('old', note, 0)).toBe(false);
  await vi.advanceTimersByTimeAsync(5_000);
  // This process only saw it.
  expect(done).toEqual([]);
  expect(await retired.isOver('old', note, 0)).toBe(true);
  const circle = encodeRetiredNote({ successor: 'new', endsAt: Date.now() + 5_000 });
  expect(await retired.isOver('old', circle, 16)).toBe(true);
});

test('bytes that are no note say nothing', async () => {
  const hostile = [
    '',
    'null',
    '[]',
    '{"v":1}',
    '{"v":2,"successor":"x","endsAt":1}',
    '{"v":1,"successor":1,"endsAt":1}',
  ];
  for (const text of [...hostile, `{"v":1,"successor":"${'x'.repeat(2_000)}","endsAt":1}`])
    expect(await retired.isOver('old', Buffer.from(text), 0)).toBe(false);
  expect(done).toEqual([]);
});
