import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { OrderedMap, PhpArray, PhpFloat, PhpObject, PhpReference } from '../../../src/php/index.js';

describe('an ordered map', () => {
  test('keeps text and integers apart, and equal bytes together', () => {
    const map = new OrderedMap([
      ['5', 'text'],
      [5, 'integer'],
      [Buffer.from([255]), 'bytes'],
      [Buffer.from([255]), 'again'],
    ]);
    expect(map.size).toBe(3);
    expect(map.get('5')).toBe('text');
    expect(map.get(5)).toBe('integer');
    expect(map.get(Buffer.from([255]))).toBe('again');
    expect(map.get(Buffer.from('5'))).toBe('text');
    expect(map.delete(Buffer.from([255]))).toBe(true);
    expect(map.has(Buffer.from([255]))).toBe(false);
  });

  test('takes a BigInt and a number for the same integer', () => {
    const map = new OrderedMap([
      [5n, 1],
      [9007199254740993n, 2],
    ]);
    expect([...map.keys()]).toEqual([5, 9007199254740993n]);
    expect(map.get(5)).toBe(1);
    expect([...map.values()]).toEqual([1, 2]);
    expect([...map.entries()]).toEqual([...map]);
  });

  test('keeps the place of a key that is set again', () => {
    expect([
      ...new OrderedMap([
        ['a', 1],
        ['b', 2],
        ['a', 3],
      ]).keys(),
    ]).toEqual(['a', 'b']);
  });

  test('shows its entries', () => {
    expect(inspect(new PhpArray([[3, 'a']]))).toBe("{ PhpArray: [ [ 3, 'a' ] ] }");
  });
});

describe('a PHP array', () => {
  test.each([
    ['5', 5],
    ['-5', -5],
    ['0', 0],
    ['05', '05'],
    ['-0', '-0'],
    ['+5', '+5'],
    ['1.5', '1.5'],
    ['', ''],
    ['9223372036854775807', 9223372036854775807n],
    ['9223372036854775808', '9223372036854775808'],
    ['-9223372036854775808', -9223372036854775808n],
  ])('makes the key %o into %o', (key, stored) => {
    expect([...new PhpArray([[key, 1]]).keys()]).toEqual([stored]);
    expect(new PhpArray([[key, 1]]).get(key)).toBe(1);
  });

  test('and what is in it can be shown as JSON', () => {
    const value = new PhpArray([
      [3, new PhpFloat(1)],
      ['a', new PhpReference(new PhpObject('A', [['\0*\0p', 1]]))],
    ]);
    expect(JSON.stringify(value)).toBe('{"3":1,"a":{"p":1}}');
  });
});

describe('a PHP object', () => {
  test('changes a property where it is and adds public ones', () => {
    const object = new PhpObject('A', [
      ['\0A\0secret', 1],
      ['\0*\0guarded', 2],
    ]);
    object.set('secret', 10).set('guarded', 20).set('open', 30);
    expect([...object.properties]).toEqual([
      ['\0A\0secret', 10],
      ['\0*\0guarded', 20],
      ['open', 30],
    ]);
    expect(object.has('secret')).toBe(true);
    expect(object.has('toString')).toBe(false);
    expect(object.visibility('open')).toBe('public');
  });
});

describe('a PHP float', () => {
  test('can be calculated with', () => {
    expect(Number(new PhpFloat(100)) + 1).toBe(101);
  });
});
