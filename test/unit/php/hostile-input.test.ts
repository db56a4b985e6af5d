/** Damaged and hostile bytes end in a clear error, whatever reads them, and never in anything else. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ErrorCode, isStormlampError } from '../../../src/common/stormlamp-error.js';
import {
  decodeSession,
  encodeSession,
  type PhpObject,
  SESSION_HANDLERS,
  SessionDocument,
  SessionView,
  serialize,
  serializeIgbinary,
  unserialize,
  unserializeIgbinary,
} from '../../../src/php/index.js';
import { phpValue } from './php-values.js';

/** Reads; an error must be one of ours about the data, and is given back by its code. */
function outcome(read: () => unknown): string {
  try {
    read();
    return 'read';
  } catch (error) {
    if (!isStormlampError(error)) throw error;
    expect([ErrorCode.PHP_SYNTAX, ErrorCode.PHP_LIMIT, ErrorCode.PHP_VALUE]).toContain(error.code);
    expect(error.message.length).toBeLessThan(300);
    return error.code;
  }
}

const READERS: readonly (readonly [string, (bytes: Buffer) => unknown])[] = [
  ['unserialize', (bytes) => unserialize(bytes)],
  ['unserializeIgbinary', (bytes) => unserializeIgbinary(bytes)],
  ...SESSION_HANDLERS.map(
    (handler) => [`decodeSession ${handler}`, (bytes: Buffer) => decodeSession(bytes, handler)] as const,
  ),
];

describe.each(READERS)('%s', (_, read) => {
  test('takes any bytes or refuses them as such', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        outcome(() => read(Buffer.from(bytes)));
      }),
      { numRuns: 1000 },
    );
  });

  test('takes well-formed data with damage in it or refuses it as such', () => {
    const damaged = fc
      .tuple(
        phpValue,
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        fc.constantFrom(...SESSION_HANDLERS, 'plain', 'packed'),
      )
      .map(([value, at, byte, format]) => {
        const bytes =
          format === 'plain'
            ? serialize(value)
            : format === 'packed'
              ? serializeIgbinary(value)
              : encodeSession({ a: value, b: 1 }, format);
        bytes[at % bytes.length] = byte;
        return bytes;
      });
    fc.assert(
      fc.property(damaged, (bytes) => {
        outcome(() => read(bytes));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('truncated data', () => {
  const value = { a: [1, 2.5, 'é', null, true], o: { x: { y: 'text' } } };

  test('is refused at every length', () => {
    const bytes = serialize(value);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(outcome(() => unserialize(bytes.subarray(0, length)))).toBe(ErrorCode.PHP_SYNTAX);
    }
    const packed = serializeIgbinary(value);
    for (let length = 0; length < packed.length; length += 1) {
      expect(outcome(() => unserializeIgbinary(packed.subarray(0, length)))).toBe(ErrorCode.PHP_SYNTAX);
    }
  });
});

describe('huge announcements', () => {
  test.each([
    'a:2147483647:{}',
    'a:999999999999999999999:{}',
    'O:8:"stdClass":2147483647:{}',
    's:2147483647:"";',
    's:99999999999999999999999999:"";',
    'S:2147483647:"";',
    'C:1:"A":2147483647:{}',
    'E:2147483647:"A:B";',
    'O:2147483647:"A":0:{}',
    'a:1:{i:0;a:1:{i:0;a:99999999:{i:0;N;}}}',
  ])('%s are refused before anything is allocated', (data) => {
    expect(outcome(() => unserialize(data))).toBe(ErrorCode.PHP_SYNTAX);
  });

  test('of igbinary are refused before anything is allocated', () => {
    for (const hex of [
      '16ffffffff',
      '13ffffffff',
      '1041ffffffff',
      '170141' + '16ffffffff',
      '1701411fffffffff',
      '03ffffffff',
    ]) {
      expect(outcome(() => unserializeIgbinary(Buffer.from(`00000002${hex}`, 'hex')))).toBe(
        ErrorCode.PHP_SYNTAX,
      );
    }
  });
});

describe('a hundred thousand levels', () => {
  const LEVELS = 100_000;

  test.each([
    ['arrays', 'a:1:{i:0;', 'N;', '}'],
    ['objects', 'O:1:"A":1:{i:0;', 'N;', '}'],
  ])('of %s are refused, and read when they are allowed', (_, open, middle, close) => {
    const data = open.repeat(LEVELS) + middle + close.repeat(LEVELS);
    expect(outcome(() => unserialize(data))).toBe(ErrorCode.PHP_LIMIT);
    const limits = { maxDepth: LEVELS };
    const value = unserialize(data, limits);
    expect(serialize(value, limits).toString()).toBe(data);
  });

  test('of igbinary arrays are refused, and read when they are allowed', () => {
    const level = Buffer.from('14010600', 'hex');
    const data = Buffer.concat([
      Buffer.from('00000002', 'hex'),
      ...new Array<Buffer>(LEVELS).fill(level),
      Buffer.from('00', 'hex'),
    ]);
    expect(outcome(() => unserializeIgbinary(data))).toBe(ErrorCode.PHP_LIMIT);
    const limits = { maxDepth: LEVELS };
    expect(serializeIgbinary(unserializeIgbinary(data, limits), limits).equals(data)).toBe(true);
  });

  test('of objects in opaque objects are read without recursion', () => {
    let data = 'i:1;';
    for (let level = 0; level < 2000; level += 1) data = `C:1:"A":${data.length}:{${data}}`;
    expect(outcome(() => unserialize(`a:2:{i:0;${data}i:1;R:2;}`))).toBe('read');
  });

  test('pass through the natural view and back', () => {
    const limits = { maxDepth: LEVELS };
    const data = `v|${'a:1:{i:0;'.repeat(LEVELS)}d:1;${'}'.repeat(LEVELS)}`;
    const document = SessionDocument.decode(data, 'php', limits);
    const view = new SessionView(document);
    expect(view.changes().size).toBe(0);
    view.data['w'] = 1;
    expect(document.encodeWith(view.changes()).toString()).toBe(`${data}w|i:1;`);
  });
});

describe('what could take more than linear time or memory', () => {
  const MANY = 50_000;

  test.each([
    [
      'references to one place',
      `a:${MANY + 1}:{i:0;i:1;${Array.from({ length: MANY }, (_, i) => `i:${i + 1};R:2;`).join('')}}`,
    ],
    [
      'handles of one object',
      `a:${MANY + 1}:{i:0;O:1:"A":0:{}${Array.from({ length: MANY }, (_, i) => `i:${i + 1};r:2;`).join('')}}`,
    ],
    [
      'keys that change the shape again and again',
      `a:${MANY}:{${Array.from({ length: MANY }, (_, i) => `i:${MANY - i};i:1;`).join('')}}`,
    ],
    [
      'a name after a long list',
      `a:${MANY + 1}:{${Array.from({ length: MANY }, (_, i) => `i:${i};i:1;`).join('')}s:1:"x";i:1;}`,
    ],
    [
      'opaque objects that hide a reader’s way to the end',
      `a:${MANY}:{${Array.from({ length: MANY }, (_, i) => `i:${i};C:1:"A":11:{a:9999999:{}`).join('')}`,
    ],
    ['a number of a million digits', `i:${'9'.repeat(1_000_000)};`],
    ['a float of a million digits', `d:${'9'.repeat(1_000_000)};`],
    ['a million digits that are no length', `s:${'9'.repeat(1_000_000)}:"";`],
  ])('is read or refused at once: %s', (_, data) => {
    outcome(() => unserialize(data));
    outcome(() => decodeSession(`x|${data}`, 'php'));
    outcome(() => decodeSession(data, 'php_serialize'));
  });

  test('sessions of many variables that refer to each other are changed at once', () => {
    const parts = Array.from(
      { length: 20_000 },
      (_, index) => `v${index}|${index === 0 ? 'O:1:"A":0:{}' : 'r:1;'}`,
    );
    const document = SessionDocument.decode(parts.join(''), 'php');
    const written = document.encodeWith(new Map([['v5', { kind: 'set', value: [1, 2] }]]));
    const again = SessionDocument.decode(written, 'php');
    expect(again.get('v19999')).toBe(again.get('v0'));
    expect(written.toString()).toContain('v6|r:1;');
  });

  const FEW = 8_000;
  const properties = Array.from({ length: FEW }, (_, index) => `i:${index};i:1;`).join('');
  const variables = (value: (index: number) => string): string =>
    Array.from({ length: FEW }, (_, index) => `v${index}|${value(index)}`).join('');

  test.each([
    ['one large object', variables((i) => (i === 0 ? `O:8:"stdClass":${FEW}:{${properties}}` : 'r:1;'))],
    ['a reference to one large array', variables((i) => (i === 0 ? `a:${FEW}:{${properties}}` : 'R:1;'))],
    [
      'a chain of objects',
      // Slots: one of the object, one of its property, which is the object of the variable before.
      variables((i) => (i === 0 ? 'O:1:"A":0:{}' : `O:1:"A":1:{s:1:"p";r:${i === 1 ? 1 : 2 * i - 2};}`)),
    ],
  ])('a session of many variables that hold %s is found unchanged at once', (_, data) => {
    const document = SessionDocument.decode(`${data}n|i:1;`, 'php');
    const view = new SessionView(document);
    expect(view.changes().size).toBe(0);
    view.data['n'] = 2;
    view.data['new'] = 'x';
    expect(document.encodeWith(view.changes()).toString()).toBe(`${data}n|i:2;new|s:1:"x";`);
    expect(new SessionView(document).changes().size).toBe(0);
  });

  test('arrays that igbinary shares cannot double at every level', () => {
    // [x, x] of [y, y] of ...: 40 levels would be a million million values.
    const list = `14${(41).toString(16)}`;
    let elements = '0600' + '14010600' + '0601';
    for (let level = 1; level <= 40; level += 1) {
      const ref = level.toString(16).padStart(2, '0');
      elements += `06${ref}1402060001${ref}060101${ref}`;
    }
    const bytes = Buffer.from(`00000002${list}${elements}`, 'hex');
    expect(outcome(() => unserializeIgbinary(bytes))).toBe(ErrorCode.PHP_LIMIT);
  });
});

test('a text that is kept does not keep the session that it was read from', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const kept: unknown[] = [];
  const heap = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = heap();
  for (let count = 0; count < 40; count += 1) {
    const email = `${count}`.padStart(40, 'x');
    const page = 'y'.repeat(1_000_000);
    const bytes = Buffer.from(
      `email|s:40:"${email}";user|a:2:{s:1:"m";s:40:"${email}";s:1:"o";O:1:"A":1:{s:1:"m";s:40:"${email}";}}page|s:1000000:"${page}";`,
    );
    const { email: top, user } = SessionDocument.decode(bytes, 'php').toObject() as {
      email: string;
      user: { m: string; o: PhpObject };
    };
    kept.push(top, user.m, user.o.get('m'));
  }
  expect(heap() - before).toBeLessThan(10_000_000);
  expect(kept).toHaveLength(120);
});
