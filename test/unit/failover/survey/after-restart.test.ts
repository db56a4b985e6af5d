import { expect, test } from 'vitest';
import { whyOpen } from '../../../../src/failover/preflight/restart-checks.js';
import { afterRestartSql, readAfterRestart } from '../../../../src/failover/survey/after-restart.js';
import { parseServerVersion } from '../../../../src/mysql/server-version.js';
import { madeUp } from '../made-up-survey.js';

const of = (name: string, value: string, origin: string) => ({ name, value, origin });
const kept = (name: string, value: string) => ({ name, value });

test.each([
  ['in its configuration file', [of('read_only', 'ON', 'CONFIG')], [], 'closed'],
  ['not in its configuration', [of('read_only', 'OFF', 'COMPILE-TIME')], [], 'open'],
  ['in it as off', [of('read_only', 'OFF', 'CONFIG')], [], 'open'],
  ['set by a statement', [of('read_only', 'ON', 'SQL')], [], 'unknown'],
  ['taken away by a statement', [of('read_only', 'OFF', 'SQL')], [], 'unknown'],
  [
    'MySQL: super_read_only in its configuration',
    [of('read_only', 'ON', 'COMPILED'), of('super_read_only', 'ON', 'GLOBAL')],
    [],
    'closed',
  ],
  [
    'MySQL: a statement about one of the two has set both',
    [of('read_only', 'ON', 'COMPILED'), of('super_read_only', 'ON', 'DYNAMIC')],
    [],
    'unknown',
  ],
  [
    'MySQL: kept for the next start',
    [of('read_only', 'OFF', 'DYNAMIC'), of('super_read_only', 'OFF', 'COMPILED')],
    [kept('read_only', 'ON')],
    'closed',
  ],
  [
    'MySQL: both kept as off',
    [of('read_only', 'ON', 'DYNAMIC'), of('super_read_only', 'OFF', 'COMPILED')],
    [kept('read_only', 'OFF'), kept('super_read_only', 'OFF')],
    'open',
  ],
  [
    'MySQL: one kept as off, and the other hidden by a statement',
    [of('read_only', 'ON', 'DYNAMIC'), of('super_read_only', 'OFF', 'COMPILED')],
    [kept('read_only', 'OFF')],
    'unknown',
  ],
  ['not told at all', [], [], 'unknown'],
])('read_only %s', (_, own, persisted, expected) => {
  expect(readAfterRestart(own, persisted)).toBe(expected);
});

test('MySQL before 8.0 does not tell', () => {
  expect(afterRestartSql(parseServerVersion('5.7.44'))).toEqual([]);
  expect(afterRestartSql(parseServerVersion('8.0.36'))).toHaveLength(2);
});

test.each([
  [
    'a primary that is not closed by its configuration',
    false,
    'open',
    /takes writes when it is started again.*; put/,
  ],
  ['a replica that is not', true, 'open', /takes writes when it is started again.*; put/],
  ['a replica of which nobody knows', true, 'unknown', /a statement has said so.*; put read_only=1 into/],
  ['a primary of which nobody knows: a statement has opened it, always', false, 'unknown', undefined],
  ['one that is closed', true, 'closed', undefined],
] as const)('%s', (_, readOnly, after, why) => {
  const said = (version: string) => whyOpen(madeUp('db1', { readOnly, version }), after);
  if (why === undefined) expect(said('9.7.0')).toBeUndefined();
  else {
    expect(said('9.7.0')).toMatch(why);
    expect(said('9.7.0')).toContain('SET PERSIST_ONLY read_only=1');
    expect(said('10.11.14-MariaDB')).toMatch(why);
    expect(said('10.11.14-MariaDB')).not.toContain('PERSIST');
  }
});
