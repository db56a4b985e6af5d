import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import {
  decodeSession,
  encodeSession,
  PhpArray,
  PhpCustomObject,
  PhpEnum,
  PhpFloat,
  PhpObject,
  PhpReference,
  SessionDocument,
  SessionView,
  serialize,
  serializeIgbinary,
  unserializeIgbinary,
} from '../../../src/php/index.js';
import { phpValue } from './php-values.js';

const write = (value: unknown): string => serializeIgbinary(value).toString('hex').slice(8);
const read = (hex: string): unknown => unserializeIgbinary(Buffer.from(`00000002${hex}`, 'hex'));

describe('igbinary', () => {
  // Written by igbinary 3.2.13.
  test.each([
    ['null', null, '00'],
    ['a small integer', 255, '06ff'],
    ['a negative integer', -256, '090100'],
    ['an integer of 32 bits', 65536, '0a00010000'],
    ['the largest integer', 9223372036854775807n, '207fffffffffffffff'],
    ['the smallest integer', -9223372036854775808n, '218000000000000000'],
    ['a float', 1.5, '0c3ff8000000000000'],
    ['a float without a fraction', new PhpFloat(-0), '0c8000000000000000'],
    ['the empty text', '', '0d'],
    ['text', 'abc', '1103616263'],
    ['an array', [true, false], '14020600050601 04'.replace(' ', '')],
    ['text that is repeated', ['abc', 'abc', '', ''], '14040600110361626306010e0006020d06030d'],
    [
      'enums',
      [new PhpEnum('Suit', 'H'), new PhpEnum('Suit', 'S'), new PhpEnum('Suit', 'H')],
      '140306001704537569742711014806011a0027110153060222 01'.replace(' ', ''),
    ],
    [
      'an opaque object',
      [new PhpCustomObject('Cus', Buffer.from('raw\0'))],
      '140106001703437573 1d0472617700'.replace(' ', ''),
    ],
    [
      'class names that no class can have, which PHP takes here, too',
      [new PhpObject('A B'), new PhpObject('\\A'), new PhpObject('')],
      '14030600 1703412042 1400 0601 17025c41 1400 0602 1700 1400'.replaceAll(' ', ''),
    ],
    [
      'a class name that is known as text',
      ['P', new PhpObject('P'), 'P'],
      '140306001101500601 1a00140006020e00'.replace(' ', ''),
    ],
  ])('writes and reads %s', (_, value, hex) => {
    expect(write(value)).toBe(hex);
    expect(read(hex)).toStrictEqual(value);
  });

  test('shares what PHP shares', () => {
    const object = new PhpObject('stdClass');
    object.set('self', object);
    expect(write([object, object])).toBe('140206001708737464436c6173731401110473656c66220106012201');
    const number = new PhpReference(1);
    expect(write([number, number, 3])).toBe('1403060025060106012501010602' + '0603');
    const list = new PhpReference([1]);
    expect(write([list, list, [1]])).toBe('14030600251401060006010601250101060214010600' + '0601');
    const twin = [1, 2];
    expect(write([twin, twin])).toBe('1402060014020600060106010602' + '06010101');
    expect(write([[], [], { a: [] }])).toBe('140306001400060101010602' + '14011101610101');
  });

  test('gives shared objects, references and arrays back as such', () => {
    const [first, second] = read('140206001708737464436c6173731401110473656c66220106012201') as PhpObject[];
    expect(second).toBe(first);
    expect(first?.get('self')).toBe(first);
    const [one, other] = read('14030600250601060125010106020603') as PhpReference[];
    expect(one).toStrictEqual(new PhpReference(1));
    expect(other).toBe(one);
    const [a, b] = read('140206001400060101 01'.replace(' ', '')) as unknown[];
    expect([a, b]).toEqual([[], []]);
    expect(b).not.toBe(a);
  });

  test('reads a reference to an array that is still being read', () => {
    const [box] = read('14010600251401060025 0101'.replace(' ', '')) as PhpReference[];
    expect((box?.value as unknown[] | undefined)?.[0]).toBe(box);
  });

  // `$a['self'] = &$a`, and a tree whose branches have a reference to their parent: written by igbinary 3.2.13 as sessions.
  test.each([
    ['140211017614021101780601110473656c66010111016e0601', ['x', 'self']],
    [
      '1402110176140211016e060111046b696473140106002514020e0106021106706172656e742514020e0106010e0201020e010601',
      ['n', 'kids'],
    ],
  ])('reads an array that is in itself, and finds no change in it: %s', (hex, names) => {
    const document = SessionDocument.decode(Buffer.from(`00000002${hex}`, 'hex'), 'igbinary');
    const view = new SessionView(document);
    const v = view.data['v'] as Record<string, unknown>;
    expect(Object.keys(v)).toEqual(names);
    expect(view.changes().size).toBe(0);
    view.data['n'] = 2;
    expect([...view.changes().keys()]).toEqual(['n']);
    v['more'] = 1;
    const again = SessionDocument.decode(document.encodeWith(view.changes()), 'igbinary');
    expect(Object.keys(new SessionView(again).data['v'] as object)).toEqual([...names, 'more']);
  });

  test('an array that is in itself at two places binds neither to the other', () => {
    const [inner] = read('1401060014020600010106010101') as [PhpReference[]];
    expect(inner.map(({ value }) => value)).toEqual([inner, inner]);
    expect(inner[0]).not.toBe(inner[1]);
  });

  test('many places of an array inside itself count with all that is in it', () => {
    const places = Array.from({ length: 200 }, (_, at) => `06${at.toString(16).padStart(2, '0')}0101`);
    const bytes = Buffer.from(`00000002${`1401060014c8${places.join('')}`}`, 'hex');
    expect(() => unserializeIgbinary(bytes, { maxValues: 10_000 })).toThrow(
      expect.objectContaining({ code: ErrorCode.PHP_LIMIT }),
    );
  });

  test('refuses to write arrays inside themselves that PHP could not have', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(() => serializeIgbinary([cycle])).toThrow(expect.objectContaining({ code: ErrorCode.PHP_VALUE }));
  });

  test('is undone for every value', () => {
    fc.assert(
      fc.property(phpValue, (value) => {
        const bytes = serializeIgbinary(value);
        const again = unserializeIgbinary(bytes);
        expect(serializeIgbinary(again).equals(bytes)).toBe(true);
        expect(serialize(again).equals(serialize(value))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('takes data of version 1, and refuses other versions and what stands behind the value', () => {
    expect(unserializeIgbinary(Buffer.from('0000000100', 'hex'))).toBeNull();
    for (const hex of [
      '0000000300',
      '613a303a7b7d',
      '00000002',
      '0000000200' + '00',
      '00000002' + 'ff',
      '00000002' + '26',
    ]) {
      expect(() => unserializeIgbinary(Buffer.from(hex, 'hex'))).toThrow(
        expect.objectContaining({ code: ErrorCode.PHP_SYNTAX }),
      );
    }
  });

  test('refuses values that PHP does not have', () => {
    for (const value of [() => 1, 2n ** 63n, new Date(0), 'lamp \ud83d', { '\udca1': 1 }]) {
      expect(() => serializeIgbinary([value])).toThrow(
        expect.objectContaining({ code: ErrorCode.PHP_VALUE }),
      );
    }
  });

  test('keeps arrays in PHP’s order', () => {
    const value = new PhpArray([
      [2, 'a'],
      [1, 'b'],
      [Buffer.from([255]), 'c'],
      [Buffer.from([255]), 'd'],
    ]);
    expect([...(unserializeIgbinary(serializeIgbinary(value)) as PhpArray)]).toStrictEqual([...value]);
  });

  test('tells text from bytes although lengths stand in between', () => {
    // The length 0xc3 before the byte 0xa9 looks like one character of UTF-8.
    const value = ['x'.repeat(0xc3), Buffer.concat([Buffer.from([0xa9]), Buffer.alloc(0xc2, 0x61)])];
    expect(unserializeIgbinary(serializeIgbinary(value))).toStrictEqual(value);
  });
});

describe('igbinary sessions', () => {
  test('are changed as a whole, with what they share', () => {
    const object = new PhpObject('A', { x: 1 });
    const bytes = encodeSession({ a: object, b: object, n: 1 }, 'igbinary');
    const document = SessionDocument.decode(bytes, 'igbinary');
    expect(document.encodeWith(new Map())).toBe(bytes);
    const written = document.encodeWith(new Map([['n', { kind: 'set', value: 2 }]]));
    const session = decodeSession(written, 'igbinary');
    expect(session).toStrictEqual({ a: object, b: object, n: 2 });
    expect(session['b']).toBe(session['a']);
    expect(
      decodeSession(document.encodeWith(new Map([['a', { kind: 'delete' }]])), 'igbinary'),
    ).toStrictEqual({ b: object, n: 1 });
  });

  test('compare variable by variable in PHP’s own format', () => {
    const document = SessionDocument.decode(encodeSession({ a: [1], b: 'x' }, 'igbinary'), 'igbinary');
    expect(document.bytesOf('a')?.toString()).toBe('a:1:{i:0;i:1;}');
    expect(document.holds('a', [1])).toBe(true);
  });

  test('have no variables whose names are integers, as PHP ignores them', () => {
    expect(
      decodeSession(Buffer.from('0000000214020605060111016106 02'.replace(' ', ''), 'hex'), 'igbinary'),
    ).toEqual({ a: 2 });
  });

  test('are arrays', () => {
    expect(() => decodeSession(Buffer.from('000000020605', 'hex'), 'igbinary')).toThrow(
      expect.objectContaining({ code: ErrorCode.PHP_SYNTAX }),
    );
  });
});
