import { expect, test } from 'vitest';
import { spareCheck, voteChecks } from '../../../../src/failover/preflight/voter-checks.js';
import { madeUp } from '../made-up-survey.js';

const voters = [
  { id: 'db1', kind: 'data' },
  { id: 'db2', kind: 'data' },
  { id: 'w', kind: 'witness' },
] as const;
const check = (...answered: readonly string[]): ReturnType<typeof spareCheck> =>
  spareCheck(voters, new Set(answered));

test('while all of three voters answer, one may be lost', () => {
  expect(check('db1', 'db2', 'w')).toMatchObject({ name: 'voter-to-spare', node: null, result: 'pass' });
});

test('a witness that does not answer is told with what depends on it', () => {
  expect(check('db1', 'db2')).toMatchObject({
    result: 'warn',
    detail:
      '2 of 3 voters answer, and 2 are needed: when one more is lost, nobody can write, and nothing is failed over; ' +
      'start w (a witness), or mend the way to it',
  });
  expect(check('db1').detail).toMatch(/^1 of 3 voters answer, and 2 are needed: nobody can write, .*db2, w/);
});

test('two voters that answer are told what to add', () => {
  const two = spareCheck(voters.slice(0, 2), new Set(['db1', 'db2']));
  expect(two).toMatchObject({
    result: 'warn',
    detail: expect.stringMatching(/add a voter: a replica, or a `witness`/),
  });
});

test('a replica that cannot be pointed at a new primary is told, and that nothing is failed over without its vote', () => {
  const source = { host: 'h', port: 1 };
  const stuck = {
    source,
    received: '0-1-120',
    status: { Slave_SQL_Running: 'No', Last_SQL_Errno: 1950 },
  };
  const data = ['db1', 'db2', 'db3'].map((id) => ({ id, kind: 'data' as const }));
  const surveys = [madeUp('db1'), madeUp('db2', stuck), madeUp('db3', { source })];
  const answered = new Set(['db1', 'db2', 'db3', 'w']);
  const [lost, able] = voteChecks(data, answered, surveys);
  expect(able).toMatchObject({ name: 'can-vote', node: 'db3', result: 'pass' });
  expect(lost).toMatchObject({ name: 'can-vote', node: 'db2', result: 'warn' });
  expect(lost?.detail).toMatch(
    /^db2 could not vote for a new primary: its SQL thread stopped with error 1950, .*gtid_strict_mode.*\. When the primary is lost, 1 of 3 voters are left that can, and 2 are needed: no failover would be made; run `SET GLOBAL gtid_strict_mode=0`/,
  );
  const [spared] = voteChecks(
    [...data, { id: 'w', kind: 'witness' }, { id: 'v', kind: 'witness' }],
    new Set([...answered, 'v']),
    surveys,
  );
  expect(spared?.detail).not.toContain('no failover');
});
