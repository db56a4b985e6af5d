import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ErrorCode, isStormlampError } from '../../../src/common/stormlamp-error.js';
import {
  PhpArray,
  PhpCustomObject,
  PhpEnum,
  PhpFloat,
  PhpObject,
  PhpReference,
  serialize,
  unserialize,
} from '../../../src/php/index.js';
import { phpValue } from './php-values.js';

const text = (value: unknown): string => serialize(value).toString('latin1');

function refusal(value: unknown): { code: ErrorCode; message: string } {
  try {
    serialize(value);
  } catch (error) {
    if (isStormlampError(error)) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error('was written');
}

describe('serialize', () => {
  test.each([
    [null, 'N;'],
    [undefined, 'N;'],
    [true, 'b:1;'],
    [0, 'i:0;'],
    [-42, 'i:-42;'],
    [Number.MAX_SAFE_INTEGER, 'i:9007199254740991;'],
    [2 ** 53, 'd:9007199254740992;'],
    [9223372036854775807n, 'i:9223372036854775807;'],
    [-9223372036854775808n, 'i:-9223372036854775808;'],
    [-0, 'd:-0;'],
    [0.1, 'd:0.1;'],
    [1e25, 'd:1.0E+25;'],
    [Number.NaN, 'd:NAN;'],
    [Number.NEGATIVE_INFINITY, 'd:-INF;'],
    [new PhpFloat(100), 'd:100;'],
    ['', 's:0:"";'],
    ['é', 's:2:"\u00c3\u00a9";'],
    ['x'.repeat(60), `s:60:"${'x'.repeat(60)}";`],
    [Buffer.from([255, 0]), 's:2:"\u00ff\0";'],
    [new Uint8Array([65]), 's:1:"A";'],
    [[], 'a:0:{}'],
    [{}, 'a:0:{}'],
    [['a', 'b'], 'a:2:{i:0;s:1:"a";i:1;s:1:"b";}'],
    [{ 5: 1, '-5': 2, '05': 3, '-0': 4 }, 'a:4:{i:5;i:1;i:-5;i:2;s:2:"05";i:3;s:2:"-0";i:4;}'],
    [
      new PhpArray([
        [3, 'a'],
        ['3', 'b'],
        [1, 'c'],
      ]),
      'a:2:{i:3;s:1:"b";i:1;s:1:"c";}',
    ],
    [new PhpObject('A\\B', { x: 1 }), 'O:3:"A\\B":1:{s:1:"x";i:1;}'],
    [new PhpCustomObject('A', Buffer.from('raw')), 'C:1:"A":3:{raw}'],
    [new PhpEnum('Suit', 'Hearts'), 'E:11:"Suit:Hearts";'],
    [Object.create(null), 'a:0:{}'],
  ])('writes %o as %s', (value, expected) => {
    expect(text(value)).toBe(expected);
  });

  test('leaves undefined out of objects and out of gaps, and writes null for it elsewhere', () => {
    expect(text({ a: undefined, b: 1 })).toBe('a:1:{s:1:"b";i:1;}');
    expect(text([undefined])).toBe('a:1:{i:0;N;}');
    const gaps: unknown[] = [];
    gaps[2] = 'x';
    expect(text(gaps)).toBe('a:1:{i:2;s:1:"x";}');
  });

  test('takes plain objects of another realm', () => {
    expect(text(runInNewContext('({ a: [1] })'))).toBe('a:1:{s:1:"a";a:1:{i:0;i:1;}}');
  });

  test('writes an own property called __proto__', () => {
    expect(text(JSON.parse('{"__proto__":1}'))).toBe('a:1:{s:9:"__proto__";i:1;}');
  });

  test('numbers a second handle of an object, and of an enum case, by the slot of the first', () => {
    const object = new PhpObject('stdClass');
    expect(text([1, object, object])).toBe('a:3:{i:0;i:1;i:1;O:8:"stdClass":0:{}i:2;r:3;}');
    const cases = [new PhpEnum('S', 'A'), new PhpEnum('S', 'B'), new PhpEnum('S', 'A')];
    expect(text(cases)).toBe('a:3:{i:0;E:3:"S:A";i:1;E:3:"S:B";i:2;r:2;}');
  });

  test('numbers a second place of a reference, which takes no slot', () => {
    const shared = new PhpReference([1]);
    const object = new PhpObject('stdClass');
    expect(text([shared, shared, object, object])).toBe(
      'a:4:{i:0;a:1:{i:0;i:1;}i:1;R:2;i:2;O:8:"stdClass":0:{}i:3;r:4;}',
    );
  });

  test('writes arrays that are the same JavaScript object as the copies that they are to PHP', () => {
    const list = [1];
    expect(text([list, list])).toBe('a:2:{i:0;a:1:{i:0;i:1;}i:1;a:1:{i:0;i:1;}}');
  });

  test('writes an object inside itself, and an array inside itself by reference', () => {
    const object = new PhpObject('stdClass');
    object.set('self', object);
    expect(text(object)).toBe('O:8:"stdClass":1:{s:4:"self";r:1;}');
    const reference = new PhpReference();
    reference.value = [reference];
    expect(text([reference])).toBe('a:1:{i:0;a:1:{i:0;R:2;}}');
  });

  test.each([
    ['a function', { a: { b: [() => 1] } }, 'a.b.0'],
    ['a symbol', [Symbol('x')], '0'],
    ['a date', { when: new Date(0) }, 'when'],
    ['a map', new Map(), 'the value'],
    ['an instance of a class', { x: new (class Cart {})() }, 'Cart'],
    ['an integer beyond 64 bits', { n: 2n ** 63n }, '64 bits'],
    ['half of an emoji', { title: 'lamp \ud83d' }, 'title'],
    ['half of an emoji in a long text', ['x'.repeat(100), `${'x'.repeat(100)}\udca1`], '1'],
    ['half of an emoji in a key', { list: [{ '\ud83d': 1 }] }, 'list.0'],
    ['half of an emoji in a class name', new PhpObject('A\ud83d'), 'surrogate'],
    ['a class name that is none', new PhpObject('no name'), 'class name'],
    ['what structuredClone makes of an object', structuredClone(new PhpObject('A', { x: 1 })), 'Map'],
    ['what structuredClone makes of an array', structuredClone(new PhpArray([[1, 2]])), 'Map'],
    ['a class name that begins with a backslash', new PhpObject('\\A'), 'class name'],
  ])('refuses %s and says where it is', (_, value, hint) => {
    const { code, message } = refusal(value);
    expect(code).toBe(ErrorCode.PHP_VALUE);
    expect(message).toContain(hint);
  });

  test('refuses a reference that is nothing but itself', () => {
    const reference = new PhpReference();
    reference.value = reference;
    expect(refusal([reference]).code).toBe(ErrorCode.PHP_VALUE);
  });

  test('refuses cyclic arrays and what PHP could not read back for its depth', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(refusal(cycle).code).toBe(ErrorCode.PHP_LIMIT);
    let deep: unknown = 1;
    for (let level = 0; level < 4096; level += 1) deep = [deep];
    expect(unserialize(serialize(deep))).toBeDefined();
    expect(refusal([deep]).code).toBe(ErrorCode.PHP_LIMIT);
  });

  test('refuses more values or bytes than allowed', () => {
    expect(() => serialize([1, 2, 3], { maxValues: 3 })).toThrow(/maxValues = 3/);
    expect(() => serialize('x'.repeat(100_000), { maxBytes: 50_000 })).toThrow(/maxBytes = 50000/);
  });

  test('is undone by unserialize for every value', () => {
    fc.assert(
      fc.property(phpValue, (value) => {
        const bytes = serialize(value);
        expect(serialize(unserialize(bytes))).toEqual(bytes);
      }),
      { numRuns: 500 },
    );
  });

  test('gives back plain data as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // JSON has no difference between {} and [], and neither has PHP.
        const expected: unknown = JSON.parse(JSON.stringify(value), (_, item: unknown) =>
          typeof item === 'object' && item !== null && Object.keys(item).length === 0 ? [] : item,
        );
        expect(JSON.stringify(unserialize(serialize(value)))).toBe(
          JSON.stringify(unserialize(serialize(expected))),
        );
      }),
    );
  });
});
