import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compressFastlz, decompressFastlz } from '../../../src/memcached/fastlz.js';

const text = fc
  .array(fc.constantFrom('abc', 'the quick brown fox ', '\0\0\0\0', 'x', '0123456789'), { maxLength: 400 })
  .map((parts) => Buffer.from(parts.join('')));
const bytes = fc.uint8Array({ maxLength: 4_000 }).map((array) => Buffer.from(array));

test('what is compressed comes back', () => {
  fc.assert(
    fc.property(fc.oneof(text, bytes), (data) => {
      expect(decompressFastlz(compressFastlz(data), data.length)).toEqual(data);
    }),
    { numRuns: 500 },
  );
});

test('repetition takes little room, also over more than one match', () => {
  const data = Buffer.from('abcdefghij'.repeat(300));
  expect(compressFastlz(data).length).toBeLessThan(80);
});

test('reads what php-memcached wrote (level 1, measured)', () => {
  const packed = Buffer.concat([
    Buffer.from('09', 'hex'),
    Buffer.from('abcdefghij'),
    Buffer.from('e0fd09'.repeat(11), 'hex'),
  ]);
  expect(decompressFastlz(packed, 10 + 11 * 262)?.toString()).toMatch(/^(abcdefghij)+ab$/);
});

test('damaged bytes are refused and never read or write outside', () => {
  fc.assert(
    fc.property(bytes, fc.nat({ max: 5_000 }), (data, length) => {
      const out = decompressFastlz(data, length);
      if (out !== undefined) expect(out.length).toBe(length);
    }),
    { numRuns: 1_000 },
  );
  expect(decompressFastlz(Buffer.from('e0ff00', 'hex'), 10)).toBeUndefined();
  expect(decompressFastlz(Buffer.alloc(0), 5)).toBeUndefined();
  expect(decompressFastlz(Buffer.from('0061', 'hex'), 2)).toBeUndefined();
});
