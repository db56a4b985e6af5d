import { expect, test } from 'vitest';
import {
  FailoverJournal,
  isSighting,
  type JournalRecord,
  newestOf,
} from '../../../src/failover/failover-journal.js';

test('the newest come first and only the last thousand are kept', () => {
  const journal = new FailoverJournal();
  for (let n = 0; n < 2500; n += 1) {
    journal.add({ opId: String(n), at: n, kind: 'primary-lost', nodes: [], epoch: 0, message: '' });
  }
  expect(journal.newest(2).map(({ opId }) => opId)).toEqual(['2499', '2498']);
  const all = journal.newest(Number.POSITIVE_INFINITY);
  expect([all.length, all.at(-1)?.opId]).toEqual([1000, '1500']);
  expect(journal.newest(0)).toEqual([]);
});

test('journals are told as one, the newest first, what stands in several once', () => {
  const record = (at: number, kind: JournalRecord['kind'] = 'change-done'): JournalRecord => {
    return { opId: 'x', at, kind, nodes: ['db1:3306'], epoch: 0, message: '' };
  };
  const ours = [record(3), record(1)];
  const theirs = [record(4), record(3), record(3, 'paused'), record(2)];
  expect(newestOf([theirs, ours], 10).map(({ at, kind }) => `${at} ${kind}`)).toEqual([
    '4 change-done',
    '3 change-done',
    '3 paused',
    '2 change-done',
    '1 change-done',
  ]);
  expect(newestOf([theirs, ours], 1).map(({ at }) => at)).toEqual([4]);
  expect(newestOf([], 1)).toEqual([]);
});

test('what is seen is told from what is done', () => {
  expect(isSighting('failure-detected')).toBe(true);
  expect(isSighting('change-done')).toBe(false);
});
