import { describe, expect, test } from 'vitest';
import {
  readBoolean,
  readChoice,
  readNumber,
  readString,
  readStrings,
  rejectUnknownOptions,
  shown,
} from '../../../src/common/option-reader.js';

describe('option reader', () => {
  test('takes the fallback only for undefined, so that 0 and false can be set', () => {
    expect(readNumber('a', 0, 7)).toBe(0);
    expect(readNumber('a', undefined, 7)).toBe(7);
    expect(readBoolean('a', false, true)).toBe(false);
  });

  test.each([
    [
      () => readNumber('maxLagMs', -1, 5, { min: 0 }),
      'Expected `maxLagMs` to be a finite number >= 0, got `-1` (number)',
    ],
    [() => readNumber('n', 1.5, 5, { integer: true }), 'Expected `n` to be an integer, got `1.5` (number)'],
    [() => readNumber('n', Number.NaN, 5), 'Expected `n` to be a finite number, got `NaN` (number)'],
    [
      () => readNumber('n', 11, 5, { min: 1, max: 10 }),
      'Expected `n` to be a finite number >= 1 and <= 10, got `11` (number)',
    ],
    [() => readNumber('n', '5', 5), 'Expected `n` to be a finite number, got `5` (string)'],
    [() => readString('s', '', 'x'), 'Expected `s` to be a non-empty string, got `` (string)'],
    [() => readChoice('c', 'b', ['a'], 'a'), "Expected `c` to be one of 'a', got `b` (string)"],
    [() => readStrings('l', ['a', ''], []), 'Expected `l[1]` to be a non-empty string, got `` (string)'],
    [() => readStrings('l', 'a', []), 'Expected `l` to be an array of strings, got `a` (string)'],
    [() => readBoolean('b', null, true), 'Expected `b` to be a boolean, got `null`'],
  ])('says what was expected and what was given (%#)', (read, message) => {
    expect(read).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION', message }));
  });

  test('suggests the nearest known name for an unknown one', () => {
    expect(() => rejectUnknownOptions('mysql', { primry: 1 }, ['primary', 'replicas'])).toThrow(
      'Unknown option `mysql.primry`; did you mean `primary`?',
    );
    expect(() => rejectUnknownOptions('mysql', { zzzzzz: 1 }, ['primary', 'replicas'])).toThrow(
      'Unknown option `mysql.zzzzzz`; known options: primary, replicas',
    );
    expect(() => rejectUnknownOptions('mysql', { ['x'.repeat(100_000)]: 1 }, ['primary'])).toThrow(
      'known options',
    );
  });

  test('refuses what is no object', () => {
    for (const value of [null, 'text', 3, []]) {
      expect(() => rejectUnknownOptions('mysql', value, [])).toThrow('Expected `mysql` to be an object');
    }
  });

  test('never shows the password of a URL', () => {
    expect(shown('mysql://app:s3cret@db1/shop')).toBe('`mysql://app:***@db1/shop` (string)');
  });
});
