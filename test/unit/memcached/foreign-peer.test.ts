import fc from 'fast-check';
import { expect, test } from 'vitest';
import { foreignPeer } from '../../../src/memcached/foreign-peer.js';

test.each([
  ['HTTP/1.0 400 Bad request\r\n', 'an HTTP server'],
  ['220 mail.example ESMTP\r\n', 'a mail or file server'],
  ['CLIENT_ERROR bad command line format\r\n', 'a memcached that only speaks the text protocol'],
  ['-NOAUTH Authentication required.\r\n', 'a Redis server'],
  ['\x10\x00\x00\x00\xff\x6a\x04Host is blocked', 'a MySQL or MariaDB server'],
  ['', undefined],
  ['something else', undefined],
])('%j', (text, expected) => {
  expect(foreignPeer(Buffer.from(text, 'latin1'))).toBe(expected);
});

test('any bytes are looked at without trouble', () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void foreignPeer(Buffer.from(bytes))));
});
