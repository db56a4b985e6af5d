import { expect, test } from 'vitest';
import { NoteLifetime, noteLifetimeMs } from '../../../../src/memcached/copies/note-lifetime.js';
import { MAX_EXPTIME } from '../../../../src/memcached/exptime.js';

const NOW = Date.UTC(2026, 10, 20, 12);
const NOW_S = NOW / 1000;
const DAY_S = 86_400;

test('notes live twice as long as items, and a day', () => {
  const lifetime = new NoteLifetime(noteLifetimeMs(1_440_000));
  expect(lifetime.exptime(NOW)).toBe(DAY_S + 2_880);
  lifetime.outlive(600, NOW);
  expect(lifetime.exptime(NOW)).toBe(DAY_S + 2_880);
});

test('an item that was seen to live longer makes all notes live longer, given as a life or as a date', () => {
  for (const exptime of [10 * DAY_S, NOW_S + 10 * DAY_S]) {
    const lifetime = new NoteLifetime(noteLifetimeMs(1_440_000));
    lifetime.outlive(exptime, NOW);
    lifetime.outlive(30, NOW);
    expect(lifetime.exptime(NOW)).toBe(21 * DAY_S);
  }
});

test('of an item without an end notes live for two months, and no note beyond the last date that there is', () => {
  const lifetime = new NoteLifetime(1);
  lifetime.outlive(0, NOW);
  expect(lifetime.exptime(NOW)).toBe(NOW_S + 61 * DAY_S);
  lifetime.outlive(MAX_EXPTIME, NOW);
  expect(lifetime.exptime(NOW)).toBe(MAX_EXPTIME);
});
