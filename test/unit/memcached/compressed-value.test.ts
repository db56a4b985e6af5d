import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isStormlampError } from '../../../src/common/stormlamp-error.js';
import { COMPRESSION_FLAGS, decompressValue } from '../../../src/memcached/compressed-value.js';
import { decompressFastlz } from '../../../src/memcached/fastlz.js';

const { compressed, zlib, fastlz, zstd } = COMPRESSION_FLAGS;
const LIMIT = 1_000_000;

function withLength(length: number, packed: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(length);
  return Buffer.concat([head, packed]);
}

test('a value that is not compressed stays what it is', () => {
  const value = Buffer.from('abc');
  expect(decompressValue(value, 0, 1)).toBe(value);
});

test('zlib is inflated', () => {
  const text = Buffer.from('lorem ipsum '.repeat(500));
  expect(decompressValue(withLength(text.length, deflateSync(text)), compressed | zlib, LIMIT)).toEqual(text);
});

test('matches of FastLZ repeat what they make, at both levels, and reach far at the second', () => {
  // A literal "ab", then a match of 6 bytes at distance 2.
  const repeat = [0x61, 0x62, (4 << 5) | 0, 1];
  expect(decompressFastlz(Buffer.from([1, ...repeat]), 8)?.toString()).toBe('abababab');
  expect(decompressFastlz(Buffer.from([0x21, ...repeat]), 8)?.toString()).toBe('abababab');
  const far = 8191 + 5 + 1;
  const runs = Array.from({ length: Math.ceil(far / 32) }, (_, run) => [
    31,
    ...Array.from({ length: 32 }, (_v, at) => (run + at) & 255),
  ]);
  const bytes = Buffer.from([...runs.flat(), (1 << 5) | 31, 255, 0, 5]);
  bytes[0] = 0x20 | 31;
  const total = runs.length * 32 + 3;
  const out = decompressFastlz(bytes, total);
  expect(out?.subarray(-3)).toEqual(out?.subarray(total - 3 - far, total - far));
});

test.each([
  ['shorter than its length', Buffer.from([1]), compressed | fastlz, 'ERR_PHP_SYNTAX'],
  ['damaged zlib', withLength(9, Buffer.from('nonsense')), compressed | zlib, 'ERR_PHP_SYNTAX'],
  [
    'a longer stream than it says',
    withLength(3, deflateSync(Buffer.alloc(100_000))),
    compressed | zlib,
    'ERR_PHP_SYNTAX',
  ],
  [
    'a shorter stream than it says',
    withLength(300, deflateSync(Buffer.alloc(30))),
    compressed | zlib,
    'ERR_PHP_SYNTAX',
  ],
  [
    'a length over the limit',
    withLength(0xffff_ffff, Buffer.from('x')),
    compressed | fastlz,
    'ERR_PHP_LIMIT',
  ],
  ['zstd', withLength(1, Buffer.from('x')), compressed | zstd, 'ERR_UNSUPPORTED'],
  [
    'a match before the beginning',
    withLength(9, Buffer.from([0, 65, 0xff, 1, 9])),
    compressed | fastlz,
    'ERR_PHP_SYNTAX',
  ],
] as const)('%s is an error and not a guess', (_name, value, flags, code) => {
  expect(() => decompressValue(value, flags, LIMIT)).toThrow(expect.objectContaining({ code }));
});

test('no bytes do anything else than decompress or fail with an error of ours', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(2_000),
      fc.constantFrom(zlib, fastlz),
      (bytes, length, kind) => {
        try {
          expect(decompressValue(withLength(length, bytes), compressed | kind, LIMIT)).toHaveLength(length);
        } catch (error) {
          if (!isStormlampError(error)) throw error;
        }
      },
    ),
    { numRuns: 2_000 },
  );
});
