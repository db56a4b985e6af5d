import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type CacheValueFormat,
  decodeCacheValue,
  encodeCacheValue,
} from '../../../src/cache/php-cache-value.js';
import { isStormlampError } from '../../../src/common/stormlamp-error.js';

const LIMIT = 1_000_000;

test.each(['php', 'igbinary', 'json'] as const)('every plain value comes back through %s', (serializer) => {
  const format = { serializer, compression: 'fastlz', compressAboveBytes: 20, maxBytes: LIMIT } as const;
  const json = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
  fc.assert(
    fc.property(json, (value) => {
      const stored = encodeCacheValue(value, format);
      const back = decodeCacheValue(stored, LIMIT);
      // PHP has one kind of array: an empty object comes back as an empty list.
      if (serializer === 'json') expect(back).toEqual(value);
      else expect(JSON.stringify(back)).toBe(JSON.stringify(phpShape(value)));
    }),
    { numRuns: 300 },
  );
});

function phpShape(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(phpShape);
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? 0 : value;
  const keys = Object.keys(value);
  const items = keys.map((key) => phpShape((value as Record<string, unknown>)[key]));
  if (keys.every((key, index) => key === String(index))) return items;
  return Object.fromEntries(keys.map((key, index) => [key, items[index]]));
}

test('hostile bytes are an error of this package, whatever the flags say', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 0xff }), (bytes, flags) => {
      try {
        decodeCacheValue({ value: Buffer.from(bytes), flags }, LIMIT);
      } catch (error) {
        expect(isStormlampError(error)).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a small item that would become a large one is refused before it does', () => {
  const bomb = Buffer.alloc(12);
  bomb.writeUInt32LE(0xffff_ffff, 0);
  expect(() => decodeCacheValue({ value: bomb, flags: 0x30 }, LIMIT)).toThrow(/decompressed/);
});

test.each(['fastlz', 'zlib', 'none'] as const)(
  'what is longer than the limit stays readable for who made it (%s)',
  (compression) => {
    const format = { serializer: 'php', compression, compressAboveBytes: 10, maxBytes: 10_000 } as const;
    for (const length of [9_999, 10_000, 10_001, 50_000]) {
      const stored = encodeCacheValue('x'.repeat(length), format);
      expect(decodeCacheValue(stored, format.maxBytes)).toBe('x'.repeat(length));
      // By its bytes it is told from one that may be stored.
      expect(stored.value.length > format.maxBytes).toBe(length > format.maxBytes);
    }
  },
);

test('what JSON does not have is refused with its name, wherever it is', () => {
  const json: CacheValueFormat = {
    serializer: 'json',
    compression: 'none',
    compressAboveBytes: 0,
    maxBytes: LIMIT,
  };
  const round: Record<string, unknown> = {};
  round['self'] = round;
  const strange = [new Map(), new Date(0), Symbol('s'), () => 1, 2n ** 64n, Buffer.from('x')];
  for (const value of strange)
    expect(() => encodeCacheValue({ deep: [value] }, json)).toThrow(/`0` is .*JSON/);
  expect(() => encodeCacheValue(round, json)).toThrow(/contains itself/);
  const plain = { a: [1, 'two', null, { b: true }], c: Object.assign(Object.create(null), { d: 1.5 }) };
  expect(decodeCacheValue(encodeCacheValue(plain, json), LIMIT)).toEqual(plain);
});

const HALF = '\ud83d';
const plainFormat = { compression: 'none', compressAboveBytes: 0, maxBytes: LIMIT } as const;

test.each(['php', 'igbinary', 'json'] as const)(
  'half of a surrogate pair is refused by %s, wherever it is',
  (serializer) => {
    for (const value of [HALF, [HALF], { a: `x${HALF}` }, { [HALF]: 1 }]) {
      expect(() => encodeCacheValue(value, { ...plainFormat, serializer })).toThrow(
        expect.objectContaining({ code: 'ERR_PHP_VALUE' }),
      );
    }
    expect(encodeCacheValue('\u{1f600}', { ...plainFormat, serializer }).value.toString()).toBe('\u{1f600}');
  },
);

test.each(['php', 'igbinary', 'json'] as const)(
  '%s: who changes the bytes that they got changes nobody else\u2019s',
  (serializer) => {
    const bytes = Buffer.from([0xff, 0, 0xfe]);
    const stored = encodeCacheValue(bytes, { serializer, ...plainFormat });
    (decodeCacheValue(stored, LIMIT) as Buffer).fill(0x41);
    expect(decodeCacheValue(stored, LIMIT)).toEqual(bytes);
  },
);

test('JSON is given nothing that it would store as null', () => {
  const sparse: number[] = [1];
  sparse[2] = 3;
  for (const value of [sparse, { a: [undefined] }, [Number.NaN], { a: Number.POSITIVE_INFINITY }]) {
    expect(() => encodeCacheValue(value, { ...plainFormat, serializer: 'json' })).toThrow(
      expect.objectContaining({ code: 'ERR_PHP_VALUE' }),
    );
  }
  const given = { a: null, b: undefined };
  expect(encodeCacheValue(given, { ...plainFormat, serializer: 'json' }).value.toString()).toBe('{"a":null}');
});

test('an array with a gap is what PHP makes of it', () => {
  const sparse: number[] = [1];
  sparse[2] = 3;
  const stored = encodeCacheValue(sparse, { ...plainFormat, serializer: 'php' });
  expect(stored.value.toString()).toBe('a:2:{i:0;i:1;i:2;i:3;}');
  expect(decodeCacheValue(stored, LIMIT)).toEqual({ 0: 1, 2: 3 });
});
