import { expect, test } from 'vitest';
import { nodeIdOf, parseNodeAddress } from '../../../src/common/node-address.js';

test.each([
  ['cache1', { host: 'cache1', port: 11211 }, 'cache1:11211'],
  ['cache1:22', { host: 'cache1', port: 22 }, 'cache1:22'],
  ['10.0.0.1:11211', { host: '10.0.0.1', port: 11211 }, '10.0.0.1:11211'],
  ['[::1]:11311', { host: '::1', port: 11311 }, '[::1]:11311'],
  ['/run/memcached.sock', { socketPath: '/run/memcached.sock' }, '/run/memcached.sock'],
])('%s is an address', (text, address, id) => {
  const parsed = parseNodeAddress('sessions.nodes[0]', text, 11_211);
  expect(parsed).toEqual(address);
  expect(nodeIdOf(parsed)).toBe(id);
});

test.each(['', 'a b', 'host:0', 'host:65536', 'host:port', '::1', 'user@host:1', 7, undefined])(
  '%s is none',
  (text) => {
    expect(() => parseNodeAddress('sessions.nodes[0]', text, 11_211)).toThrow(
      "Expected `sessions.nodes[0]` to be an address like 'host:port'",
    );
  },
);
