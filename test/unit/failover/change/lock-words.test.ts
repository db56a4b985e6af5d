import { expect, test } from 'vitest';
import { type LockParty, lockWords } from '../../../../src/failover/change/lock-words.js';

const party = (id: string, role: LockParty['role'], more: Partial<LockParty> = {}): LockParty => ({
  id,
  account: `u${id}@h`,
  seconds: 7,
  role,
  locked: '',
  ...more,
});
const words = (...parties: LockParty[]): string =>
  lockWords('step@db1: why', { node: 'db1', parties, unseen: 'nobody knows who has it' });

test('nobody is seen', () => {
  expect(words()).toBe(
    'A lock on db1 was not to be had in time (step@db1: why): nobody knows who has it; ' +
      'let the backup or the statement that has it end, or end its session, and try again',
  );
});

test('who holds it is named with what it locked, and how to end it; what runs is no suspect then', () => {
  const told = words(party('7', 'holds'), party('8', 'holds', { locked: 'shop.t' }), party('9', 'runs'));
  expect(told).toContain('session 7 (u7@h) holds the lock of the whole server');
  expect(told).toContain('session 8 (u8@h) has locked shop.t');
  expect(told).toContain('`KILL 7` on db1');
  expect(told).not.toContain('u9@h');
  expect(told).not.toContain('nobody knows');
});

test('a statement that runs for long is a suspect while no holder is seen', () => {
  const told = words(party('9', 'runs'), party('10', 'waits'));
  expect(told).toContain(
    'nobody knows who has it, session 9 (u9@h) may have it: its statement has run for 7 s',
  );
  expect(told).toContain('session 10 (u10@h) waits for a lock, too; ');
  expect(told).toContain('`KILL 9` on db1');
});

test('a transaction that has locked rows is a suspect while no holder is seen', () => {
  const told = words(party('9', 'open'));
  expect(told).toContain('session 9 (u9@h) may have it: its transaction has locked rows for 7 s');
  expect(told).toContain('`KILL 9` on db1');
  expect(words(party('7', 'holds'), party('9', 'open'))).not.toContain('u9@h');
});

test('of many that wait some are named and the rest counted', () => {
  const told = words(...['1', '2', '3', '4', '5'].map((id) => party(id, 'waits')));
  expect(told).toContain(
    'session 1 (u1@h), session 2 (u2@h), session 3 (u3@h) and 2 more wait for a lock, too; ',
  );
});
