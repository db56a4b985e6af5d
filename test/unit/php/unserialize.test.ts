import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
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

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('unserialize', () => {
  test.each([
    ['N;', null],
    ['b:0;', false],
    ['i:-7;', -7],
    ['i:9007199254740993;', 9007199254740993n],
    ['i:99999999999999999999;', 9223372036854775807n],
    ['d:0.5;', 0.5],
    ['d:INF;', Number.POSITIVE_INFINITY],
    ['d:NAN;', Number.NaN],
    ['s:3:"abc";', 'abc'],
    ['S:3:"a\\62c";', 'abc'],
    ['a:0:{}', []],
    ['a:2:{i:0;s:1:"a";i:1;N;}', ['a', null]],
    ['a:2:{s:1:"b";i:1;s:1:"a";i:2;}', { b: 1, a: 2 }],
    ['a:2:{i:5;i:1;i:7;i:2;}', { 5: 1, 7: 2 }],
    ['a:2:{i:0;i:1;s:1:"x";i:2;}', { 0: 1, x: 2 }],
    ['a:2:{s:1:"0";i:1;s:1:"1";i:2;}', [1, 2]],
  ])('reads %s', (data, expected) => {
    expect(unserialize(data)).toStrictEqual(expected);
  });

  test('keeps what JavaScript would lose in types of its own', () => {
    expect(unserialize('d:100;')).toStrictEqual(new PhpFloat(100));
    expect(Object.is((unserialize('d:-0;') as PhpFloat).value, -0)).toBe(true);
    expect(unserialize(latin1('s:2:"\u00ff\u00fe";'))).toStrictEqual(Buffer.from([255, 254]));
    expect(unserialize('E:11:"Suit:Hearts";')).toStrictEqual(new PhpEnum('Suit', 'Hearts'));
    expect(unserialize('C:1:"A":3:{raw}')).toStrictEqual(new PhpCustomObject('A', Buffer.from('raw')));
  });

  test.each([
    [
      'descending keys',
      'a:2:{i:1;i:1;i:0;i:2;}',
      [
        [1, 1],
        [0, 2],
      ],
    ],
    [
      'an integer key behind a text key',
      'a:2:{s:1:"x";i:1;i:7;i:2;}',
      [
        ['x', 1],
        [7, 2],
      ],
    ],
    [
      'a huge key before a small one',
      'a:2:{i:4294967295;i:1;i:1;i:2;}',
      [
        [4294967295, 1],
        [1, 2],
      ],
    ],
    [
      'a key behind a list and a name',
      'a:3:{i:0;i:1;s:1:"x";i:2;i:9;i:3;}',
      [
        [0, 1],
        ['x', 2],
        [9, 3],
      ],
    ],
  ])('keeps an array with %s in its order', (_, data, entries) => {
    const value = unserialize(data);
    expect(value).toBeInstanceOf(PhpArray);
    expect([...(value as PhpArray)]).toStrictEqual(entries);
  });

  test('keeps keys that are not UTF-8', () => {
    const value = unserialize(latin1('a:2:{s:1:"\u00ff";i:1;s:1:"\u00ff";i:2;}')) as PhpArray;
    expect([...value]).toStrictEqual([[Buffer.from([255]), 2]]);
    expect(value.get(Buffer.from([255]))).toBe(2);
  });

  test('gives a repeated key its last value at its first place', () => {
    expect(Object.entries(unserialize('a:3:{s:1:"a";i:1;s:1:"b";i:2;s:1:"a";i:3;}') as object)).toEqual([
      ['a', 3],
      ['b', 2],
    ]);
    expect(unserialize('a:3:{i:0;i:1;i:1;i:2;i:0;i:3;}')).toEqual([3, 2]);
  });

  test('takes names that mean something to JavaScript for plain data', () => {
    const value = unserialize(
      'a:4:{s:9:"__proto__";a:1:{s:8:"polluted";b:1;}s:11:"constructor";i:1;s:8:"toString";i:2;s:14:"hasOwnProperty";i:3;}',
    ) as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor', 'toString', 'hasOwnProperty']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.getOwnPropertyDescriptor(value, '__proto__')?.value).toEqual({ polluted: true });
  });

  test('sets such names where their prototype is frozen', () => {
    const before = Object.getOwnPropertyDescriptor(Object.prototype, 'toString') ?? {};
    Object.defineProperty(Object.prototype, 'toString', { ...before, writable: false });
    let value: unknown;
    try {
      value = unserialize('a:1:{s:8:"toString";i:2;}');
    } finally {
      Object.defineProperty(Object.prototype, 'toString', before);
    }
    expect(Object.entries(value as object)).toEqual([['toString', 2]]);
  });

  test('tells thousands of short names apart', () => {
    const record = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [`k${(index * 7919) % 20_000}`, index]),
    );
    const data = serialize(record);
    expect(unserialize(data)).toEqual(record);
    expect(unserialize(data)).toEqual(record);
  });

  test('reads properties of every visibility', () => {
    const object = unserialize(
      latin1('O:5:"Child":4:{s:1:"a";i:1;s:4:"\0*\0b";i:2;s:8:"\0Child\0c";i:3;s:7:"\0Base\0d";i:4;}'),
    ) as PhpObject;
    expect(object.className).toBe('Child');
    expect(['a', 'b', 'c', 'd', 'e'].map((name) => object.get(name))).toEqual([1, 2, 3, 4, undefined]);
    expect(['a', 'b', 'c', 'd', 'e'].map((name) => object.visibility(name))).toEqual([
      'public',
      'protected',
      'private',
      'private',
      undefined,
    ]);
  });

  test('gives two handles of an object the same object', () => {
    const [first, second] = unserialize('a:2:{i:0;O:8:"stdClass":0:{}i:1;r:2;}') as unknown[];
    expect(first).toBeInstanceOf(PhpObject);
    expect(second).toBe(first);
  });

  test('gives an object that holds itself', () => {
    const object = unserialize('O:8:"stdClass":1:{s:4:"self";r:1;}') as PhpObject;
    expect(object.get('self')).toBe(object);
  });

  test('gives places that are bound with & the same reference', () => {
    const [first, second, third] = unserialize('a:3:{i:0;a:1:{i:0;i:5;}i:1;R:2;i:2;R:3;}') as PhpReference[];
    expect(first).toBeInstanceOf(PhpReference);
    expect(second).toBe(first);
    expect(first?.value).toEqual([third]);
    expect(third?.value).toBe(5);
  });

  test('counts slots as PHP does: keys and R take none, r takes one', () => {
    const values = unserialize(
      'a:6:{s:1:"a";i:1;s:1:"b";R:2;s:1:"c";O:8:"stdClass":0:{}s:1:"d";r:3;s:1:"e";O:1:"B":0:{}s:1:"f";r:5;}',
    ) as Record<string, PhpObject>;
    expect(values['f']).toBe(values['e']);
  });

  test('counts the slots that a class wrote into its own format', () => {
    const values = unserialize(
      'a:3:{i:0;C:6:"Nested":22:{a:2:{i:0;i:1;i:1;i:2;}}i:1;O:1:"A":0:{}i:2;r:6;}',
    ) as unknown[];
    expect(values[2]).toBe(values[1]);
  });

  test('does not count what only looks like serialized values', () => {
    const values = unserialize('a:3:{i:0;C:1:"A":4:{i:1;}i:1;O:1:"B":0:{}i:2;r:3;}') as unknown[];
    expect(values[2]).toBe(values[1]);
    expect(serialize(values).toString()).toBe('a:3:{i:0;C:1:"A":4:{i:1;}i:1;O:1:"B":0:{}i:2;r:3;}');
  });

  test('reads a reference to an array that is still being read', () => {
    const value = unserialize('a:1:{i:0;a:2:{i:0;R:2;s:1:"x";i:1;}}') as PhpReference[];
    const inner = value[0]?.value as Record<string, unknown>;
    expect(inner[0]).toBe(value[0]);
    expect(inner['x']).toBe(1);
  });

  test('ignores what stands behind the value', () => {
    expect(unserialize('i:5;junk')).toBe(5);
  });

  test('reads any kind of byte array and does not hold on to the caller’s memory', () => {
    const memory = latin1('..s:2:"\u00ff\u00fe";C:1:"A":1:{x}');
    const value = unserialize(new Uint8Array(memory.buffer, memory.byteOffset + 2, 9)) as Buffer;
    memory.fill(0);
    expect(value).toStrictEqual(Buffer.from([255, 254]));
  });

  test('takes what looks like UTF-8 only as a whole for bytes', () => {
    expect(unserialize(latin1('a:2:{i:0;s:2:"\u00c3\u00a9";i:1;s:1:"\u00c3";}'))).toStrictEqual([
      'é',
      Buffer.from([0xc3]),
    ]);
  });
});

describe('errors of unserialize', () => {
  test('tell where PHP would stop, and show no data', () => {
    expect(() => unserialize('a:1:{s:6:"secret";x}')).toThrow(
      expect.objectContaining({
        code: ErrorCode.PHP_SYNTAX,
        message: 'Not PHP serialized data: expected a value at byte 18 of 20',
      }),
    );
  });

  test.each([
    ['deeper', { maxDepth: 2 }, 'a:1:{i:0;a:1:{i:0;a:1:{i:0;i:1;}}}'],
    ['longer', { maxBytes: 10 }, 's:20:"aaaaaaaaaaaaaaaaaaaa";'],
    ['more numerous', { maxValues: 3 }, 'a:3:{i:0;i:1;i:1;i:2;i:2;i:3;}'],
  ])('name the limit when data is %s than allowed', (_, limits, data) => {
    const [name] = Object.keys(limits);
    expect(() => unserialize(data, limits)).toThrow(
      expect.objectContaining({ code: ErrorCode.PHP_LIMIT, message: expect.stringContaining(String(name)) }),
    );
    expect(() => unserialize(data)).not.toThrow();
  });

  test('empty arrays do not count for the depth, objects do, as in PHP', () => {
    expect(unserialize('a:1:{i:0;a:0:{}}', { maxDepth: 1 })).toEqual([[]]);
    expect(() => unserialize('a:1:{i:0;O:1:"A":0:{}}', { maxDepth: 1 })).toThrow(/maxDepth/);
  });

  test('are about options, too', () => {
    expect(() => unserialize('N;', { maxDepth: 0 })).toThrow(
      expect.objectContaining({ code: ErrorCode.INVALID_OPTION }),
    );
    expect(() => unserialize('N;', { depth: 5 } as never)).toThrow(/limits.depth/);
  });
});
