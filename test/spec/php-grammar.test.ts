/** What PHP accepts is accepted, what it refuses is refused, and what it would write is written. */
import { describe, expect, test } from 'vitest';
import { isStormlampError } from '../../src/common/stormlamp-error.js';
import { serialize, serializeIgbinary, unserialize, unserializeIgbinary } from '../../src/php/index.js';
import { bytes, grammarCases, valueCases } from './php-fixtures.js';

/** The outcome of reading and writing: the bytes, or the code of the error. */
function rewrite(data: string): string {
  try {
    return serialize(unserialize(bytes(data))).toString('latin1');
  } catch (error) {
    if (!isStormlampError(error)) throw error;
    return error.code;
  }
}

/**
 * Where only PHP can know: it turns the integer names of an object's properties to text unless the class has
 * `__unserialize()`, and writes a class name as the class was declared. It also forgets that the outermost value was
 * a reference, so what refers to it is no reference any more.
 */
function isLeftAlone(data: string): boolean {
  return (
    /O:\d+:"(stdClass|Missing|Point)":\+?\d*:\{.*i:-?\d+;/.test(data) ||
    /stdclass/.test(data) ||
    /\bR:1;/.test(data)
  );
}

describe('the grammar', () => {
  const cases = grammarCases().filter(({ data }) => !isLeftAlone(data));

  test('of every recorded input is PHP’s own', () => {
    expect(cases.length).toBeGreaterThan(1000);
    const wrong = cases
      .map(({ data, written }) => ({ data, php: written ?? 'ERR_PHP_SYNTAX', here: rewrite(data) }))
      .filter(({ php, here }) => php !== here);
    expect(wrong).toEqual([]);
  });

  test('covers what PHP accepts and what it refuses', () => {
    expect(cases.filter(({ written }) => written === null).length).toBeGreaterThan(500);
    expect(cases.filter(({ written }) => written !== null).length).toBeGreaterThan(150);
  });
});

describe('values that PHP made up', () => {
  const values = valueCases().filter(({ handler }) => handler === null);

  test('are written to the very same bytes', () => {
    expect(values.length).toBeGreaterThanOrEqual(150);
    for (const { data } of values) expect(rewrite(data)).toBe(data);
  });

  test('are written to the very same bytes in igbinary', () => {
    for (const { igbinary = '' } of values) {
      expect(serializeIgbinary(unserializeIgbinary(bytes(igbinary))).toString('latin1')).toBe(igbinary);
    }
  });
});
