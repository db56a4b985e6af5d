import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isStormlampError } from '../../../src/common/stormlamp-error.js';
import { assertKey } from '../../../src/memcached/memcached-key.js';

test.each([
  'a',
  'memc.sess.key.lock.abc,-XYZ',
  'x'.repeat(250),
  'é'.repeat(125),
  '会话',
  '\u{1f600}',
  '"\\~!',
])('%s is a key', (key) => expect(() => assertKey(key)).not.toThrow());

test.each([
  ['nothing', '', '0 bytes'],
  ['251 bytes', 'x'.repeat(251), '251 bytes'],
  ['251 bytes in fewer characters', `${'é'.repeat(125)}x`, '251 bytes'],
  ['a space', 'a b', 'a space or a control character'],
  ['a line end', 'a\r\nflush_all', 'a space or a control character'],
  ['a NUL', 'a\0', 'a space or a control character'],
  ['DEL', 'a\x7f', 'a space or a control character'],
  ['a space beside other letters', 'é b', 'a space or a control character'],
  ['half a surrogate pair', 'a\ud83d', 'half a surrogate pair'],
])('%s is no key', (_what, key, reason) => {
  let thrown: unknown;
  try {
    assertKey(key);
  } catch (error) {
    thrown = error;
  }
  expect(isStormlampError(thrown, 'ERR_INVALID_KEY')).toBe(true);
  expect((thrown as Error).message).toContain(reason);
});

test('what passes is one word of 1 to 250 bytes that comes back from the wire unchanged', () => {
  const parts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.string({ unit: 'grapheme', maxLength: 60 }),
  );
  fc.assert(
    fc.property(parts, (key) => {
      try {
        assertKey(key);
      } catch {
        return;
      }
      const bytes = Buffer.from(key);
      expect(bytes.length).toBeGreaterThan(0);
      expect(bytes.length).toBeLessThanOrEqual(250);
      expect(bytes.every((byte) => byte > 0x20 && byte !== 0x7f)).toBe(true);
      expect(bytes.toString()).toBe(key);
    }),
  );
});
