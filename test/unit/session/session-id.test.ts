import { expect, test } from 'vitest';
import { assertSessionId, createSessionId } from '../../../src/session/session-id.js';
import { DEFAULT_SESSION_IDS } from '../../../src/session/session-id-options.js';

const bytes =
  (...values: number[]) =>
  (size: number) =>
    Uint8Array.from({ length: size }, (_, index) => values[index % values.length] ?? 0);

test.each([
  [4, bytes(0x12, 0xef), '21fe21fe21fe21fe21fe21'],
  [6, bytes(0x00), '0000000000000000000000'],
] as const)('%i bits per character are taken low bits first', (bits, random, expected) => {
  const id = createSessionId({ length: 22, bitsPerCharacter: bits }, random);
  expect(id).toBe(expected);
});

test('five bits: the second character takes three bits of the first byte and two of the second', () => {
  // 0xff, 0x03 -> 11111 | 11111 | 00000 ...
  expect(createSessionId({ length: 22, bitsPerCharacter: 5 }, bytes(0xff, 0x03, 0, 0, 0)).slice(0, 3)).toBe(
    'vv0',
  );
});

test('ids use only the alphabet of their width', () => {
  for (let round = 0; round < 50; round += 1) {
    expect(createSessionId({ length: 32, bitsPerCharacter: 4 })).toMatch(/^[0-9a-f]{32}$/);
    expect(createSessionId({ length: 26, bitsPerCharacter: 5 })).toMatch(/^[0-9a-v]{26}$/);
    expect(createSessionId({ length: 40, bitsPerCharacter: 6 })).toMatch(/^[0-9a-zA-Z,-]{40}$/);
  }
});

test.each(['lock.abc', '', 'a b', 'a\nb', '../x', 'é', 'x'.repeat(232), 'a_b', '__proto__'])(
  '%j never reaches a key',
  (id) => {
    expect(() => assertSessionId(id, DEFAULT_SESSION_IDS.accept)).toThrow(
      expect.objectContaining({ code: 'ERR_SESSION_ID' }),
    );
  },
);

test('the message of a refused id does not repeat it', () => {
  expect(() => assertSessionId('lock.victim', DEFAULT_SESSION_IDS.accept)).toThrow(/^(?!.*victim)/);
});

test.each(['a', 'abcdefghijklmnopqrstuv0123', 'A,-z'])('%s is accepted', (id) => {
  expect(() => assertSessionId(id, DEFAULT_SESSION_IDS.accept)).not.toThrow();
});
