import { expect, test } from 'vitest';
import { Checks } from '../../../../src/cli/doctor/check.js';
import { judgeSettings } from '../../../../src/cli/doctor/judge-settings.js';

const GOOD = { time_zone: 'SYSTEM', system_time_zone: 'UTC', sql_mode: 'ANSI_QUOTES,STRICT_TRANS_TABLES' };
const troubles = (...nodes: Record<string, string>[]): readonly string[] => {
  const checks = new Checks('mysql');
  judgeSettings(
    checks,
    nodes.map((settings, at) => ({ node: `db${at + 1}`, settings: new Map(Object.entries(settings)) })),
  );
  return checks.list
    .filter(({ state }) => state !== 'ok')
    .map(({ state, subject, what, found }) => `${state} ${subject} ${what}: ${found}`);
};

test.each([
  ['alike', GOOD, []],
  ['alike in another order', { ...GOOD, sql_mode: 'STRICT_TRANS_TABLES,ANSI_QUOTES' }, []],
  ['not read', {}, []],
  ['another zone', { ...GOOD, time_zone: '+05:00' }, ['warning db2 settings of a session: time_zone=+05:00']],
  [
    'another machine',
    { ...GOOD, system_time_zone: 'CET' },
    ['warning db2 settings of a session: system_time_zone=CET'],
  ],
  [
    'another mode',
    { ...GOOD, sql_mode: 'NO_BACKSLASH_ESCAPES' },
    [
      'failed db2 values in statements: NO_BACKSLASH_ESCAPES in sql_mode',
      'warning db2 settings of a session: sql_mode=NO_BACKSLASH_ESCAPES',
    ],
  ],
])('%s', (_, second, told) => {
  expect(troubles(GOOD, second)).toEqual(told);
});
