import { expect, test } from 'vitest';
import { UnreadSessions } from '../../../src/gateway/unread-sessions.js';

test('what could not be read is not to be written until it was read', () => {
  const unread = new UnreadSessions();
  unread.assertKnown('a');
  unread.failed('a');
  expect(() => unread.assertKnown('a')).toThrow('could not be read');
  unread.assertKnown('b');
  unread.known('a');
  unread.assertKnown('a');
});

test('of too many the oldest are forgotten', () => {
  const unread = new UnreadSessions();
  for (let key = 0; key <= 10_000; key += 1) unread.failed(String(key));
  unread.assertKnown('0');
  expect(() => unread.assertKnown('1')).toThrow('could not be read');
  expect(() => unread.assertKnown('10000')).toThrow('could not be read');
});
