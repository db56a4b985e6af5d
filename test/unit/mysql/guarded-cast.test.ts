import { expect, test } from 'vitest';
import { guardCast, hasFailed, takeFailure } from '../../../src/mysql/guarded-cast.js';

test('what a function throws is kept until it is taken, and nothing is cast meanwhile', () => {
  const thrown = new Error('own');
  const cast = guardCast((field, next) => {
    if (field === 'spoilt') throw thrown;
    return next();
  });
  let read = 0;
  const next = (): number => {
    read += 1;
    return read;
  };
  expect(cast('a', next)).toBe(1);
  expect([hasFailed(cast), takeFailure(cast)]).toEqual([false, undefined]);
  expect(cast('spoilt', next)).toBeUndefined();
  expect(cast('a', next)).toBeUndefined();
  expect([read, hasFailed(cast)]).toEqual([1, true]);
  expect(takeFailure(cast)?.error).toBe(thrown);
  expect([hasFailed(cast), takeFailure(cast)]).toEqual([false, undefined]);
  expect(cast('a', next)).toBe(2);
});

test('whatever is thrown counts, and each function has its own', () => {
  const first = guardCast(() => {
    throw undefined;
  });
  const second = guardCast(() => 'fine');
  expect([first('a', () => 1), second('a', () => 1)]).toEqual([undefined, 'fine']);
  expect([takeFailure(first), takeFailure(second)]).toEqual([{ error: undefined }, undefined]);
});
