/** The watcher of two primaries can fail: acknowledged writes of two servers that could both be written to are found. */
import { expect, test } from 'vitest';
import { bothWritable, type TakenRow, twoPrimaries, type WritableTime } from '../../support/two-primaries.js';

const time = (from: number, to: number, port: number): WritableTime => ({ from, to, port });
const row = (id: string, at: number, port: number): TakenRow => ({ id, at, port });
const acknowledged = new Set(['old', 'new']);

test.each<[string, Readonly<Record<string, readonly WritableTime[]>>, readonly TakenRow[]]>([
  [
    'one after the other',
    { a: [time(0, 100, 1)], b: [time(200, 300, 2)] },
    [row('old', 50, 1), row('new', 250, 2)],
  ],
  [
    'there and back',
    { a: [time(0, 100, 1), time(400, 500, 1)], b: [time(200, 300, 2)] },
    [row('old', 450, 1), row('new', 250, 2)],
  ],
  [
    'both could be written to, and the old one took nothing any more',
    { a: [time(0, 300, 1)], b: [time(200, 400, 2)] },
    [row('old', 150, 1), row('new', 250, 2)],
  ],
  [
    'what the old one took was not acknowledged',
    { a: [time(0, 300, 1)], b: [time(200, 400, 2)] },
    [row('unknown', 250, 1), row('new', 250, 2)],
  ],
])('one primary at a time: %s', (_, times, rows) => {
  expect(twoPrimaries(bothWritable(times), rows, acknowledged)).toEqual([]);
});

test.each<[string, readonly TakenRow[]]>([
  ['at once', [row('old', 250, 1), row('new', 250, 2)]],
  ['the old one later', [row('old', 290, 1), row('new', 210, 2)]],
])('two primaries: both took acknowledged writes, %s', (_, rows) => {
  const times = { a: [time(0, 300, 1)], b: [time(200, 400, 2)], c: [] };
  expect(twoPrimaries(bothWritable(times), rows, acknowledged)).toEqual([
    'two primaries: from 200 on, for 100 ms, a took 1 acknowledged writes (old) and b 1 (new)',
  ]);
});
