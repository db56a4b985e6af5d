import { expect, test } from 'vitest';
import { FailoverJournal } from '../../../src/failover/failover-journal.js';

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
