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

test('several things of one millisecond are all told, as the servers keep them and as this process does', () => {
  const record = (message: string): JournalRecord => {
    return { opId: 'x', at: 1, kind: 'hook-logged', nodes: [], epoch: 0, message };
  };
  const long = '😀'.repeat(15_000);
  const ours = ['cron stopped', 'queue drained', 'cron stopped', 'закрыто: C:\\x', long].map(record);
  const kept = ['cron stopped', 'queue drained', 'cron stopped', '???????: C:/x', long.slice(0, 20_000)];
  const theirs = ['event-1 failed', ...kept].map(record);
  expect(newestOf([theirs, kept.map(record), ours], 100)).toEqual(theirs);
});

test('what is seen is told from what is done', () => {
  expect(isSighting('failure-detected')).toBe(true);
  expect(isSighting('change-done')).toBe(false);
});
