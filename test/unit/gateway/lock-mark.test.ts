import { expect, test } from 'vitest';
import { markLock, unmarkLock } from '../../../src/gateway/lock-mark.js';

test('two locks differ, and both are what the client gave', () => {
  const [one, other] = [markLock(Buffer.from('1')), markLock(Buffer.from('1'))];
  expect(one.equals(other)).toBe(false);
  expect(unmarkLock(one).toString()).toBe('1');
  expect(unmarkLock(other).toString()).toBe('1');
});

test.each(['', '1', 'a stormlamp lock', ' stormlamp short'])('%j, which has no mark, stays', (value) => {
  expect(unmarkLock(Buffer.from(value)).toString()).toBe(value);
});
