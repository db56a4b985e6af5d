import { expect, test } from 'vitest';
import { readKey } from '../../../src/gateway/wire-key.js';

test.each<[string, Buffer, string | undefined]>([
  ['plain', Buffer.from('memc.sess.key.abc'), 'memc.sess.key.abc'],
  ['UTF-8', Buffer.from('\u00e9\u20ac'), '\u00e9\u20ac'],
  ['the longest', Buffer.alloc(250, 'k'), 'k'.repeat(250)],
  ['too long', Buffer.alloc(251, 'k'), undefined],
  ['empty', Buffer.alloc(0), undefined],
  ['with a space', Buffer.from('a b'), undefined],
  ['with a control character', Buffer.from('a\r'), undefined],
  ['not UTF-8', Buffer.from([0xe9]), undefined],
  ['the replacement character itself', Buffer.from('\ufffd'), '\ufffd'],
])('%s', (_name, bytes, key) => {
  expect(readKey(bytes)).toBe(key);
});
