import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseMetadumpLine } from '../../../src/memcached/metadump-entry.js';

test('a line of 1.6.18', () => {
  const line =
    'key=memc.sess.key.lock%2Ca exp=1795210313 la=1795210213 cas=18446744073709551615 fetch=no cls=1 size=62';
  expect(parseMetadumpLine(line)).toEqual({
    key: 'memc.sess.key.lock,a',
    expiresAt: 1_795_210_313,
    lastAccess: 1_795_210_213,
    cas: 18_446_744_073_709_551_615n,
    size: 62,
  });
});

test('an item that never expires, and fields that came with later versions', () => {
  expect(parseMetadumpLine('key=%C3%A9%25 exp=-1 la=0 cas=1 fetch=yes cls=1 size=62 flags=0')).toMatchObject({
    key: 'é%',
    expiresAt: -1,
  });
});

test.each([
  'key=%FF%FE exp=-1 la=0 cas=1 fetch=no cls=1 size=1',
  'key=a%20b exp=-1 la=0 cas=1 fetch=no cls=1 size=1',
])('a key that is no text, or cannot be asked for, is foreign: %s', (line) =>
  expect(parseMetadumpLine(line)).toBe('foreign'),
);

test.each([
  '',
  'END',
  'OK',
  'BUSY currently processing crawler request',
  'key= exp=1',
  'key=a exp=x la=0 cas=1 size=1',
])('%j is no line of a dump', (line) => expect(parseMetadumpLine(line)).toBeUndefined());

test('every key that memcached encodes comes back', () => {
  const keys = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    .filter((key) => Buffer.from(key).every((byte) => byte > 0x20 && byte !== 0x7f));
  fc.assert(
    fc.property(keys, (key) => {
      const encoded = Array.from(Buffer.from(key), (byte) =>
        /[A-Za-z0-9._~-]/.test(String.fromCharCode(byte))
          ? String.fromCharCode(byte)
          : `%${byte.toString(16).padStart(2, '0').toUpperCase()}`,
      ).join('');
      expect(parseMetadumpLine(`key=${encoded} exp=-1 la=0 cas=1 fetch=no cls=1 size=9`)).toMatchObject({
        key: Buffer.from(key).toString(),
      });
    }),
  );
});
