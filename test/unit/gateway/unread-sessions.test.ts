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

test('what others could not read pushes nothing out', () => {
  unread.asked(page, 'a');
  for (let key = 0; key < 20_000; key += 1) unread.asked({}, `other${key}`);
  for (let key = 0; key < 20_000; key += 1) unread.asked(other, `other${key}`);
  refused(page, 'a');
  unread.assertKnown(page, 'b');
});

test('a client that could not read more than is remembered writes only what it was shown', () => {
  for (let key = 0; key < 1_001; key += 1) unread.asked(page, String(key));
  refused(page, '0');
  refused(page, '1000');
  refused(page, 'never asked for');
  unread.known(page, '1000');
  unread.assertKnown(page, '1000');
  unread.assertKnown(other, 'never asked for');
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

test('where clients that are gone left more than is remembered, none of it is forgotten', () => {
  for (let key = 0; key <= 10_000; key += 1) {
    const gone = {};
    unread.asked(gone, String(key));
    unread.gone(gone);
  }
  refused(late, '0');
  refused(late, '10000');
  refused(late, 'never asked for');
  unread.known(other, '0');
  unread.assertKnown(other, '0');
  unread.assertKnown(late, 'plain.a');
  nowMs = HOUR_MS;
  unread.assertKnown(late, '0');
});

test('one client that is gone may have left more than is remembered', () => {
  for (let key = 0; key < 1_001; key += 1) unread.asked(page, String(key));
  unread.gone(page);
  refused(late, '1000');
  nowMs = HOUR_MS;
  unread.assertKnown(late, '1000');
});

test('locks are not watched', () => {
  unread.asked(page, 'lock.a');
  unread.assertKnown(page, 'lock.a');
});
