import { expect, test } from 'vitest';
import { markFlags, markLock, unmarkFlags, unmarkLock } from '../../../src/gateway/lock-mark.js';

test('two locks differ, and both are what the client gave', () => {
  const [one, other] = [markLock(Buffer.from('1')), markLock(Buffer.from('1'))];
  expect(one.equals(other)).toBe(false);
  expect(unmarkLock(one).toString()).toBe('1');
  expect(unmarkLock(other).toString()).toBe('1');
});

test.each(['', '1', 'a stormlamp lock', ' stormlamp short'])('%j, which has no mark, stays', (value) => {
  expect(unmarkLock(Buffer.from(value)).toString()).toBe(value);
});

test('a lock that is a number has its mark in the flags, and the client gets back the flags that it gave', () => {
  for (const flags of [0, 768, 0xffff]) {
    const marks = Array.from({ length: 50 }, () => markFlags(flags));
    expect(marks.every((mark) => unmarkFlags(mark) === flags && mark > 0xffff && mark <= 0xffff_ffff)).toBe(
      true,
    );
    expect(new Set(marks).size).toBeGreaterThan(40);
    // Marked again it is another lock.
    expect(unmarkFlags(markFlags(marks[0] ?? 0))).toBe(flags);
  }
});
