import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readPools } from '../../../../../src/cli/doctor/pools/read-pools.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stormlamp-pools-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(name: string, text: string): string {
  const file = join(root, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

/** The pools with their settings, by name. */
async function read(file: string, env: Record<string, string> = {}) {
  const { pools, unread } = await readPools(file, env);
  const settings = pools.map((pool) => [
    pool.name,
    Object.fromEntries([...pool.settings].map(([name, { value }]) => [name, value])),
  ]);
  return { pools: Object.fromEntries(settings) as Record<string, Record<string, string>>, unread };
}

test('pools are read through included files, with the rules of PHP-FPM', async () => {
  const main = put('etc/php-fpm.conf', `[global]\npid = /run/x.pid\ninclude=${root}/etc/pool.d/*.conf\n`);
  put(
    'etc/pool.d/a.conf',
    `; php_value[session.name] = COMMENT
[www]
listen = /run/www.sock
php_value[session.save_path] = "/first" ; the first one holds
php_value[session.save_path] = "/second"
php_value[session.name] = VALUE
php_admin_value[session.name] = ADMIN
  php_flag[session.use_strict_mode] = on
php_value[session.cookie_path] = /p/$pool/x
php_value[session.cookie_domain] = "\${HOST}.example"
php_value["memcached.sess_prefix"] = 'p.'
php_value[ session.referer_check] = lead
php_value [ session.cache_limiter ] = spaced
php_value[memory_limit] = 1G
php_admin_value[max_execution_time] = 60
env[HOST] = other
`,
  );
  put(
    'etc/pool.d/b.conf',
    '[WWW]\nphp_value[session.save_path] = /third\nphp_value[session.sid_length] = 40\n[api]\n',
  );
  put('etc/pool.d/b.conf.bak', '[old]\n');
  expect(await read(main, { HOST: 'shop' })).toEqual({
    pools: {
      www: {
        'session.save_path': '/first',
        'session.name': 'ADMIN',
        'session.use_strict_mode': '1',
        'session.cookie_path': '/p/www/x',
        'session.cookie_domain': 'shop.example',
        'memcached.sess_prefix': 'p.',
        'session.referer_check': 'lead',
        max_execution_time: '60',
        'session.sid_length': '40',
      },
      api: {},
    },
    unread: [],
  });
});

test('a setting tells its place, and why PHP may make something else of it', async () => {
  const file = put(
    'www.conf',
    `[www]\n\nphp_value[session.name] = A & B\nphp_value[session.save_path] = "\${UNKNOWN}"\n`,
  );
  const { pools } = await readPools(file, {});
  expect([...(pools[0]?.settings ?? [])]).toEqual([
    ['session.name', expect.objectContaining({ place: `${file}:3`, doubt: 'an operator outside of quotes' })],
    [
      'session.save_path',
      expect.objectContaining({ doubt: expect.stringContaining('the variable UNKNOWN') }),
    ],
  ]);
});

test.each([
  ['usr/local/etc/php-fpm.conf', 'etc/php-fpm.d/*.conf', 'usr/local/etc/php-fpm.d/www.conf'],
  ['etc/php-fpm.conf', 'php-fpm.d/*.conf', 'etc/php-fpm.d/www.conf'],
])('%s includes %s of where PHP was installed', async (main, pattern, pool) => {
  const file = put(main, `include=${pattern}\n`);
  put(pool, '[www]\nphp_value[session.name] = SID\n');
  expect(await read(file)).toEqual({ pools: { www: { 'session.name': 'SID' } }, unread: [] });
});

test('a folder is read as all of its pools', async () => {
  put('pool.d/a.conf', '[a]\n');
  put('pool.d/b.conf', '[b]\n');
  mkdirSync(join(root, 'pool.d/c.conf'));
  expect(await read(join(root, 'pool.d'))).toEqual({ pools: { a: {}, b: {} }, unread: [] });
});

test('files that include themselves, or each other, are read once', async () => {
  const file = put('a.conf', `[a]\ninclude=${root}/*.conf\nphp_value[session.name] = SID\n`);
  put('b.conf', `[b]\ninclude=${root}/a.conf\ninclude=${root}/b.conf\n`);
  expect(await read(file)).toMatchObject({ pools: { a: {}, b: { 'session.name': 'SID' } }, unread: [] });
});

test('what cannot be read is told, and holds nothing up', async () => {
  const file = put('a.conf', `[a]\ninclude=${root}/more/*\nphp_value[session.name] = SID\n`);
  mkdirSync(join(root, 'more'));
  expect(spawnSync('mkfifo', [join(root, 'more/pipe.conf')]).status).toBe(0);
  symlinkSync('/dev/zero', join(root, 'more/endless.conf'));
  put('more/large.conf', 'x'.repeat(5 * 1024 * 1024));
  expect(await read(file)).toEqual({
    pools: { a: { 'session.name': 'SID' } },
    unread: [
      { file: join(root, 'more/endless.conf'), why: 'it is no file' },
      { file: join(root, 'more/large.conf'), why: 'it, or all files together, is too large' },
      { file: join(root, 'more/pipe.conf'), why: 'it is no file' },
    ],
  });
  expect((await read(join(root, 'nowhere.conf'))).unread).toMatchObject([
    { why: expect.stringContaining('ENOENT') },
  ]);
});

test('a chain of files ends where PHP-FPM ends it', async () => {
  for (let at = 0; at < 9; at += 1) put(`${at}.conf`, `[p${at}]\ninclude=${root}/${at + 1}.conf\n`);
  const { pools, unread } = await read(join(root, '0.conf'));
  expect(Object.keys(pools)).toEqual(['p0', 'p1', 'p2', 'p3', 'p4']);
  expect(unread).toEqual([{ file: join(root, '5.conf'), why: 'files include each other too deeply' }]);
});

test('of a line that is longer than any setting of sessions no value is read', async () => {
  const file = put('a.conf', `[a]\nphp_value[session.name] = ${'x'.repeat(3_000)}\n`);
  const { pools } = await readPools(file, {});
  expect(pools[0]?.settings.get('session.name')?.doubt).toBe('a line of more than 2048 characters');
});
