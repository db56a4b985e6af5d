/** What is stepped over is what the general reader takes, to the byte. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ContainerFrame } from '../../../src/php/container-frame.js';
import { type PhpLimits, resolvePhpLimits } from '../../../src/php/php-limits.js';
import { serialize } from '../../../src/php/serialize.js';
import { SessionDocument } from '../../../src/php/session-document.js';
import { skipArray } from '../../../src/php/skip-array.js';
import { ValueReader } from '../../../src/php/value-reader.js';
import { phpValue } from './php-values.js';

function skipped(text: string, limits?: PhpLimits) {
  const reader = new ValueReader(Buffer.from(text, 'latin1'), resolvePhpLimits(limits), 'no-objects');
  if (skipArray(reader, 0, resolvePhpLimits(limits)))
    return { end: reader.position, slotCount: reader.slotCount };
  expect([reader.position, reader.slotCount]).toEqual([0, 0]);
  return undefined;
}

/** What the general reader says of the same bytes: where it ends and how many slots it counts, or that it refuses them. */
function read(text: string, limits?: PhpLimits) {
  try {
    const reader = new ValueReader(Buffer.from(text, 'latin1'), resolvePhpLimits(limits), 'no-objects');
    reader.readInto(new ContainerFrame(1, undefined));
    return { end: reader.position, slotCount: reader.slotCount };
  } catch {
    return 'refused';
  }
}

const arrayText = fc
  .oneof(fc.array(phpValue, { maxLength: 4 }), fc.dictionary(fc.string({ maxLength: 5 }), phpValue))
  .map((value) => {
    try {
      return serialize(value).toString('latin1');
    } catch {
      return 'a:0:{}';
    }
  });

/** Bytes that are nearly an array: a piece is taken out, doubled or replaced. */
const damaged = fc
  .record({
    text: arrayText,
    at: fc.nat(),
    length: fc.nat(3),
    put: fc.constantFrom(
      '',
      '1',
      '9',
      ';',
      ':',
      '"',
      '{',
      '}',
      'a',
      's',
      'i',
      'd',
      '-',
      '.',
      '\u00e9',
      '999999999999',
    ),
  })
  .map(({ text, at, length, put }) => {
    const from = at % (text.length + 1);
    return text.slice(0, from) + put + text.slice(from + length);
  });

describe('an array that is stepped over', () => {
  test('ends where the reader ends, after as many slots', () => {
    fc.assert(
      fc.property(fc.oneof(arrayText, damaged), (text) => {
        const answer = skipped(text);
        if (answer !== undefined) expect(answer).toEqual(read(text));
      }),
      { numRuns: 3_000 },
    );
  });

  test.each([
    ['a:0:{}', { end: 6, slotCount: 1 }],
    ['a:2:{i:0;i:-5;i:1;d:0.25;}tail', { end: 26, slotCount: 3 }],
    ['a:1:{s:3:"a"b";a:2:{i:0;N;i:1;b:1;}}', { end: 36, slotCount: 4 }],
    ['a:1:{i:0;s:2:"\u00c3\u00a9";}', { end: 19, slotCount: 2 }],
  ])('%s', (text, expected) => {
    expect(skipped(text)).toEqual(expected);
    expect(read(text)).toEqual(expected);
  });

  test.each([
    'a:1:{i:0;O:8:"stdClass":0:{}}',
    'a:1:{i:0;R:1;}',
    'a:1:{i:0;i:9223372036854775807;}',
    'a:1:{i:0;d:1.0E+25;}',
    'a:1:{i:0;s:5:"ab";}',
    'a:2:{i:0;i:1;}',
    'a:1:{i:0;i:1;',
    'a:1:{i:0;i:1;i:1;i:2;}',
    'a:9:{}',
    'a:-1:{}',
    'a:99999999999999999999:{}',
    'i:1;',
    '',
  ])('%s is left to the reader', (text) => {
    expect(skipped(text)).toBeUndefined();
  });

  test('is left to the reader where it exceeds a bound', () => {
    const deep = `${'a:1:{i:0;'.repeat(5)}N;${'}'.repeat(5)}`;
    expect(skipped(deep, { maxDepth: 5 })).toBeDefined();
    expect(skipped(deep, { maxDepth: 4 })).toBeUndefined();
    expect(read(deep, { maxDepth: 5 })).not.toBe('refused');
    expect(read(deep, { maxDepth: 4 })).toBe('refused');
    expect(skipped('a:2:{i:0;N;i:1;N;}', { maxValues: 3 })).toBeDefined();
    expect(skipped('a:2:{i:0;N;i:1;N;}', { maxValues: 2 })).toBeUndefined();
    const late = 'a:5:{i:0;a:2:{i:0;N;i:1;N;}i:1;N;i:2;N;i:3;N;i:4;N;}';
    expect(skipped(late, { maxValues: 8 })).toBeDefined();
    expect(skipped(late, { maxValues: 7 })).toBeUndefined();
    expect(read(late, { maxValues: 7 })).toBe('refused');
  });

  test('takes time in proportion to its bytes, whatever they are', () => {
    const hostile = ['a:1:{i:0;', 'a:9:{', 's:9:"', 'i:0;', 'a:0:{}', '0'];
    for (const piece of hostile) {
      const text = `a:1:{i:0;${piece.repeat(1_000_000 / piece.length)}`;
      expect(skipped(text)).toBeUndefined();
    }
  });
});

describe('a session of which arrays are decoded later', () => {
  const variables = fc.dictionary(fc.stringMatching(/^[a-z_]{1,6}$/), phpValue, { maxKeys: 5 });
  const session = (handler: 'php' | 'php_serialize' | 'php_binary') => (values: Record<string, unknown>) => {
    try {
      const empty = SessionDocument.decode('', handler);
      return empty.encodeWith(
        new Map(Object.entries(values).map(([name, value]) => [name, { kind: 'set' as const, value }])),
      );
    } catch {
      return Buffer.alloc(0);
    }
  };

  test.each(['php', 'php_serialize', 'php_binary'] as const)(
    'holds what it holds when they are decoded at once, and is refused alike: %s',
    (handler) => {
      const hurt = fc.record({ cut: fc.option(fc.nat(400)), put: fc.constantFrom('', '}', '9', ';') });
      fc.assert(
        fc.property(variables.map(session(handler)), hurt, (bytes, { cut, put }) => {
          const at = cut === null || bytes.length === 0 ? bytes.length : cut % bytes.length;
          const data = Buffer.concat([
            bytes.subarray(0, at),
            Buffer.from(put),
            bytes.subarray(cut === null ? at : at + 1),
          ]);
          const decoded = (arrays: 'now' | 'later') => {
            try {
              const document = SessionDocument.decode(data, handler, undefined, arrays);
              const one = document.encodeWith(new Map([['zz', { kind: 'set', value: [1] }]]));
              const values = document.keys.map((key) => serialize(document.get(key)).toString('latin1'));
              return { keys: document.keys, values, one: one.toString('latin1') };
            } catch (error) {
              return String(error);
            }
          };
          expect(decoded('later')).toStrictEqual(decoded('now'));
        }),
        { numRuns: 500 },
      );
    },
  );

  test('refuses another time than now or later', () => {
    const sometimes = 'sometimes' as 'later';
    expect(() => SessionDocument.decode('a|i:1;', 'php', undefined, sometimes)).toThrow(/'now' or 'later'/);
  });

  test('decodes an array when it is asked for, and gives the same one again', () => {
    const document = SessionDocument.decode('a|i:1;b|a:1:{i:0;s:1:"x";}', 'php', undefined, 'later');
    expect([document.isUnread('a'), document.isUnread('b'), document.isUnread('c')]).toEqual([
      false,
      true,
      false,
    ]);
    expect(document.get('b')).toEqual(['x']);
    expect(document.isUnread('b')).toBe(false);
    expect(document.get('b')).toBe(document.get('b'));
  });
});
