import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { sessionOptionsFromPhp } from '../../../src/session/php-session-options.js';
import { resolveSessionOptions, type SessionOptions } from '../../../src/session/session-options.js';
import { resolveStoreOptions } from '../../../src/session/store-options.js';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function phpFolder(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'php-ini-'));
  folders.push(folder);
  mkdirSync(join(folder, 'conf.d'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

const settings = (values: Readonly<Record<string, string>>) => new Map(Object.entries(values));

test('a php.ini and the conf.d beside it configure everything', () => {
  const folder = phpFolder({
    'php.ini':
      'session.save_handler = files\nsession.gc_maxlifetime = 7200\nsession.sid_length = 26\nsession.sid_bits_per_character = 5\n',
    'conf.d/20-session.ini':
      'session.save_handler = memcached\nsession.save_path = "cache1:11211:2, /run/m.sock"\nmemcached.sess_number_of_replicas = 1\nsession.name = SHOP\nsession.cookie_secure = On\nsession.cookie_partitioned = On\nsession.serialize_handler = php_serialize\nmemcached.sess_consistent_hash_type = ketama_weighted\n',
  });
  expect(resolveStoreOptions({ phpIni: join(folder, 'php.ini') }).options).toMatchObject({
    handler: 'memcached',
    nodes: [{ id: 'cache1:11211' }, { id: '/run/m.sock' }],
    placement: { distribution: 'ketama_weighted', weights: [2, 1] },
    copies: 2,
    serialize: 'php_serialize',
    lifetimeMs: 7_200_000,
    idFormat: { length: 26, bitsPerCharacter: 5 },
    cookie: { name: 'SHOP', secure: true, partitioned: true, httpOnly: false, sameSite: '' },
  });
});

test('options beside it win', () => {
  const folder = phpFolder({
    'php.ini': 'session.save_handler = memcached\nsession.save_path = cache1:11211\n',
  });
  const { options: resolved } = resolveStoreOptions({
    phpIni: join(folder, 'php.ini'),
    lifetimeMs: 5_000,
    cookie: { secure: true },
  });
  expect(resolved).toMatchObject({
    lifetimeMs: 5_000,
    copies: 1,
    cookie: { secure: true, name: 'PHPSESSID' },
  });
});

test('without settings PHP has its built-in values', () => {
  expect(
    sessionOptionsFromPhp(settings({ 'session.save_handler': 'memcached', 'session.save_path': 'a' })),
  ).toEqual({
    handler: 'memcached',
    nodes: ['a:11211'],
    placement: { distribution: 'ketama', weights: [1] },
    copies: 1,
    cacheLimiter: 'nocache',
    cacheExpireMs: 10_800_000,
    lockBreakMs: 60_000,
    prefix: 'memc.sess.key.',
    serialize: 'php',
    lifetimeMs: 1_440_000,
    ids: { length: 32, bitsPerCharacter: 4 },
    cookie: {
      name: 'PHPSESSID',
      path: '/',
      domain: '',
      secure: false,
      httpOnly: false,
      sameSite: '',
      partitioned: false,
      lifetimeMs: 0,
    },
  });
});

test('pecl-memcache has its own settings', () => {
  const options = sessionOptionsFromPhp(
    settings({
      'session.save_handler': 'memcache',
      'session.save_path': 'tcp://cache1:11211?weight=3&persistent=1, tcp://cache2, unix:///run/m.sock:0',
      'memcache.hash_strategy': 'standard',
      'memcache.session_redundancy': '3',
    }),
  );
  expect(options).toMatchObject({
    handler: 'memcache',
    nodes: ['cache1:11211', 'cache2:11211', '/run/m.sock'],
    placement: { strategy: 'standard', hash: 'crc32', weights: [3, 1, 1] },
    copies: 3,
    prefix: '',
  });
});

test('everything that cannot be followed is in one error', () => {
  const wrong = settings({
    'session.save_handler': 'memcached',
    'session.save_path': 'a b c:x',
    'memcached.sess_locking': '',
    'session.serialize_handler': 'wddx',
    'session.gc_maxlifetime': 'long',
  });
  expect(() => sessionOptionsFromPhp(wrong)).toThrow(
    /session\.serialize_handler = "wddx"[\s\S]*session\.gc_maxlifetime = "long"[\s\S]*session\.save_path = "a b c:x"[\s\S]*memcached\.sess_locking = ""/,
  );
  expect(() => sessionOptionsFromPhp(settings({ 'session.save_handler': 'redis' }))).toThrow(
    'session.save_handler = "redis": only files, memcached and memcache',
  );
});

test('a file that is not there is named', () => {
  expect(() => resolveStoreOptions({ phpIni: '/nowhere/php.ini' })).toThrow(
    '`sessions.phpIni` names /nowhere/php.ini, which cannot be read: ENOENT',
  );
});

test('a setting of the other extension is refused, since it would be ignored in silence', () => {
  expect(() => resolveSessionOptions({ nodes: ['a'], placement: { strategy: 'standard' } })).toThrow(
    'Unknown option `sessions.placement.strategy`',
  );
  expect(() => resolveSessionOptions({ nodes: ['a'], placement: { weights: [1, 2] } })).toThrow(
    '1 positive integers',
  );
});

test("pecl-memcache's own save path comes before PHP's", () => {
  const options = sessionOptionsFromPhp(
    settings({
      'session.save_handler': 'memcache',
      'session.save_path': 'tcp://cache1:11211',
      'memcache.session_save_path': 'tcp://cache2:11211',
    }),
  );
  expect(options).toMatchObject({ nodes: ['cache2:11211'] });
});

test('locks live as long as those of PHP, and none is broken that a page may still hold', () => {
  const locks = (values: Readonly<Record<string, string>>) => {
    const { lockExpireMs, lockBreakMs } = resolveSessionOptions(
      sessionOptionsFromPhp(settings({ 'session.save_path': 'tcp://a:1', ...values })) as SessionOptions,
    );
    return { lockExpireMs, lockBreakMs };
  };
  const memcache = { 'session.save_handler': 'memcache' };
  expect(locks(memcache).lockExpireMs).toBe(15_000);
  expect(locks({ ...memcache, 'memcache.lock_timeout': '60' }).lockExpireMs).toBe(60_000);
  const memcached = { 'session.save_handler': 'memcached', 'session.save_path': 'a:1' };
  expect(locks(memcached)).toEqual({ lockExpireMs: 30_000, lockBreakMs: 60_000 });
  expect(locks({ ...memcached, max_execution_time: '300' })).toEqual({
    lockExpireMs: 30_000,
    lockBreakMs: 600_000,
  });
  expect(locks({ ...memcached, max_execution_time: '300', 'memcached.sess_lock_expire': '45' })).toEqual({
    lockExpireMs: 45_000,
    lockBreakMs: 90_000,
  });
});
