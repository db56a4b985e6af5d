import { expect, test } from 'vitest';
import { sessionDataKey, sessionLockKey } from '../../../src/session/session-keys.js';
import { resolveSessionOptions } from '../../../src/session/session-options.js';

test('php-memcached puts its lock under a key and a place of its own', () => {
  const options = { handler: 'memcached', prefix: 'memc.sess.key.' } as const;
  expect(sessionDataKey(options, 'abc')).toEqual({ key: 'memc.sess.key.abc', place: 'abc' });
  expect(sessionLockKey(options, 'abc')).toEqual({ key: 'memc.sess.key.lock.abc', place: 'lock.abc' });
});

test('pecl-memcache puts its lock beside the data', () => {
  const options = { handler: 'memcache', prefix: 'shop.' } as const;
  expect(sessionDataKey(options, 'abc')).toEqual({ key: 'shop.abc', place: 'shop.abc' });
  expect(sessionLockKey(options, 'abc')).toEqual({ key: 'shop.abc.lock', place: 'shop.abc' });
});

test('placement hashes the text of save_path: brackets of IPv6 stay, a socket has port 0', () => {
  const nodes = ['cache1', '[::1]:11311', '/run/m.sock'];
  expect(resolveSessionOptions({ nodes }).nodes.map(({ place }) => place)).toEqual([
    { host: 'cache1', port: 11_211 },
    { host: '[::1]', port: 11_311 },
    { host: '/run/m.sock', port: 0 },
  ]);
  expect(resolveSessionOptions({ nodes: ['/run/m.sock'], handler: 'memcache' }).nodes[0]?.place).toEqual({
    host: 'unix:///run/m.sock',
    port: 0,
  });
});
