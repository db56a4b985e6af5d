/** The summary of the long runs names every scenario, and what was not run. */
import { expect, test } from 'vitest';
import { type SummaryRow, summaryOf } from '../support/chaos-summary.js';

const row = (more: Partial<SummaryRow>): SummaryRow => ({
  file: 'failover',
  name: '1 the primary dies',
  state: 'passed',
  why: undefined,
  seconds: 12.4,
  meta: {},
  ...more,
});

test('a row for each scenario that was run or cannot be, and none for what was not asked for', () => {
  const text = summaryOf(
    [
      row({
        meta: { servers: 'MariaDB 10.11.6, 3 nodes', lost: 2, doubled: 0, unknown: 1, seen: '{"to":"db2"}' },
      }),
      row({ name: 'MySQL 9.7 > 2 | it is restarted', state: 'failed', why: 'lost 1' }),
      row({ name: '54 a day', state: 'skipped', why: 'takes a day' }),
      row({ name: '3 not asked for', state: 'skipped' }),
    ],
    ['switchover: it has no tests'],
  );
  expect(text.split('\n')).toEqual([
    '# Chaos report',
    '',
    '1 passed, 1 failed, 1 cannot be run here, 1 runs did not begin.',
    '',
    '- switchover: it has no tests',
    '',
    '| run | scenario | servers | outcome | lost | doubled | unknown | took |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    '| failover | 1 the primary dies | MariaDB 10.11.6, 3 nodes | ok {"to":"db2"} | 2 | 0 | 1 | 12 s |',
    '| failover | MySQL 9.7 > 2 \\| it is restarted | MySQL 9.7 | FAILED: lost 1 |  |  |  | 12 s |',
    '| failover | 54 a day |  | not run: takes a day |  |  |  |  |',
    '',
  ]);
});
