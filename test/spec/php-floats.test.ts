/** Floats are written as PHP writes them, and read as PHP reads them. */
import { expect, test } from 'vitest';
import { PhpFloat, serialize, unserialize } from '../../src/php/index.js';
import { floatCases } from './php-fixtures.js';

test('every recorded double is written exactly as PHP writes it', () => {
  const cases = floatCases();
  expect(cases.length).toBeGreaterThanOrEqual(1334);
  const wrong = cases.filter(({ bits, text }) => {
    const value = Buffer.from(bits, 'hex').readDoubleBE();
    return serialize(new PhpFloat(value)).toString() !== text;
  });
  expect(wrong).toEqual([]);
});

test('every recorded double is read back to the same double, and stays a float', () => {
  const wrong = floatCases().filter(({ bits, text }) => {
    const value = Buffer.from(bits, 'hex').readDoubleBE();
    const read = unserialize(text);
    const number = read instanceof PhpFloat ? read.value : read;
    return !Object.is(number, value) || serialize(read).toString() !== text;
  });
  expect(wrong).toEqual([]);
});
