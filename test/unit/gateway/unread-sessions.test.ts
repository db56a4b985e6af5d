import { beforeEach, expect, test } from 'vitest';
import { UnreadSessions } from '../../../src/gateway/unread-sessions.js';

const HOUR_MS = 3_600_000;
const REFUSED = 'could not be read before';
let nowMs: number;
let unread: UnreadSessions;
const page = { name: 'page' };
const other = { name: 'other' };
const late = { name: 'late' };

beforeEach(() => {
  nowMs = 0;
  unread = new UnreadSessions(
    { isGuarded: (key) => !key.startsWith('lock.'), isSession: (key) => !key.startsWith('plain.') },
    () => nowMs,
  );
});

const refused = (client: object, key: string): void =>
  expect(() => unread.assertKnown(client, key)).toThrow(REFUSED);

test('what a client could not read it does not write until it has read it, whoever else did', () => {
  unread.assertKnown(page, 'a');
  unread.asked(page, 'a');
  refused(page, 'a');
  unread.assertKnown(page, 'b');
  unread.asked(other, 'a');
  unread.known(other, 'a');
  unread.assertKnown(other, 'a');
  refused(page, 'a');
  unread.known(page, 'a');
  unread.assertKnown(page, 'a');
});

test('the refusal calls a session one, and nothing else', () => {
  for (const key of ['a', 'plain.a']) unread.asked(page, key);
  expect(() => unread.assertKnown(page, 'a')).toThrow('This session could not be read before, and PHP');
  expect(() => unread.assertKnown(page, 'plain.a')).toThrow('This item could not be read before, and may');
});

test('what others could not read pushes nothing out', () => {
  unread.asked(page, 'a');
  for (let key = 0; key < 20_000; key += 1) unread.asked({}, `other${key}`);
  for (let key = 0; key < 20_000; key += 1) unread.asked(other, `other${key}`);
  refused(page, 'a');
  unread.assertKnown(page, 'b');
});

test('after an outage in which a client could not read very much, it writes what is new', () => {
  for (let key = 0; key < 1_500; key += 1) unread.asked(page, String(key));
  refused(page, '500');
  refused(page, '1499');
  unread.assertKnown(page, 'never asked for');
  unread.known(page, '1499');
  unread.assertKnown(page, '1499');
});

test('a page that reads much else writes the session that it was shown, which another one had left', () => {
  unread.asked(other, 'a');
  unread.gone(other);
  unread.known(page, 'a');
  for (let key = 0; key < 500; key += 1) unread.known(page, String(key));
  unread.assertKnown(page, 'a');
  refused(late, 'a');
});

test('what a client that is gone had not read, nobody writes for an hour who has not read it', () => {
  unread.asked(page, 'a');
  unread.asked(page, 'plain.a');
  unread.gone(page);
  unread.known(other, 'a');
  unread.assertKnown(other, 'a');
  refused(late, 'a');
  unread.assertKnown(late, 'plain.a');
  unread.assertKnown(late, 'b');
  nowMs = HOUR_MS - 1;
  refused(late, 'a');
  nowMs = HOUR_MS;
  unread.assertKnown(late, 'a');
});

test('an answer that comes when the client has hung up was not seen by it', () => {
  unread.asked(page, 'a');
  unread.gone(page);
  unread.known(page, 'a');
  unread.asked(page, 'b');
  unread.known(page, 'b');
  refused(late, 'a');
  refused(late, 'b');
  // It may have sent all of its commands at once.
  unread.assertKnown(page, 'b');
});

test('clients that are gone leave much, of which the newest is remembered, and nothing else refused', () => {
  for (let key = 0; key <= 100_000; key += 1) {
    const gone = {};
    unread.asked(gone, String(key));
    unread.gone(gone);
  }
  refused(late, '1');
  refused(late, '100000');
  unread.assertKnown(late, 'never asked for');
  unread.known(other, '1');
  unread.assertKnown(other, '1');
  nowMs = HOUR_MS;
  unread.assertKnown(late, '1');
});

test('locks are not watched', () => {
  unread.asked(page, 'lock.a');
  unread.assertKnown(page, 'lock.a');
});
