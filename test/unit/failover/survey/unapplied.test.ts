/** What a replica has received and not executed: its relay log must not be thrown away before. */
import { describe, expect, test } from 'vitest';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };

describe('on MySQL, by sets of transactions', () => {
  const uuid = '11111111-1111-1111-1111-111111111111';
  const other = '22222222-2222-2222-2222-222222222222';
  test.each([
    ['all of it', `${uuid}:1-100`, `${uuid}:1-100`, false],
    ['more than it has received', `${uuid}:50-100`, `${uuid}:1-200`, false],
    ['the first of it', `${uuid}:1-100`, `${uuid}:1-90`, true],
    ['the last of it, and not what came before', `${uuid}:1-100`, `${uuid}:1-50:100`, true],
    ['nothing of another origin', `${uuid}:1-100,${other}:1-3`, `${uuid}:1-100`, true],
    ['it with a gap of what it never received', `${uuid}:1-50:60-100`, `${uuid}:1-50:60-100`, false],
  ])('it has executed %s', (_, received, executed, is) => {
    const { hasUnapplied } = madeUp('db2', {
      version: '8.0.36',
      source,
      variables: { gtid_mode: 'ON', gtid_executed: executed },
      status: { Retrieved_Gtid_Set: received, Auto_Position: '1', Gtid_IO_Pos: undefined },
    });
    expect(hasUnapplied).toBe(is);
  });
});

test.each([
  ['0-1-100', '0-1-100', false],
  ['0-1-100', '0-1-99', true],
  ['0-1-100,1-1-7', '0-1-100', true],
  ['0-1-100', '0-1-100,0-2-101', false],
])('on MariaDB, by the last number of each origin: received %s, executed %s', (received, executed, is) => {
  expect(madeUp('db2', { source, received, executed }).hasUnapplied).toBe(is);
});
