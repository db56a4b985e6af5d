import { expect, test } from 'vitest';
import { spareCheck } from '../../../../src/failover/preflight/voter-checks.js';

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
