import { expect, test } from 'vitest';
import { releasedLock, releasedLockOf } from '../../../src/session/released-lock.js';

test('what is left in the place of a lock lives as long as that lock might', () => {
  expect(releasedLock(30).exptime).toBe(30);
  expect(releasedLock(1_900_000_000).exptime).toBe(1_900_000_000);
});

test('in the place of a lock that never expires it does not stay for ever', () => {
  expect(releasedLock(0).exptime).toBe(86_400);
});

test('it is put back as it was', () => {
  for (const exptime of [0, 1, 30, 1_900_000_000]) {
    const left = releasedLock(exptime);
    expect(releasedLockOf(left.value)).toEqual(left);
  }
});

test.each([
  '1',
  '',
  'stormlamp-released',
  'stormlamp-released x',
  '1 stormlamp MI9P1RQ0QN2Czx7R',
  'stormlamp-released 99999999999',
])('a lock is a lock: %j', (value) => {
  expect(releasedLockOf(Buffer.from(value))).toBeUndefined();
});
