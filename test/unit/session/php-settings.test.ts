import { expect, test } from 'vitest';
import { parsePhpInfo, parsePhpIni } from '../../../src/session/php-settings.js';

test('a php.ini is read as PHP reads it', () => {
  const text = `
; a comment
[Session]
session.save_handler = memcached
session.save_path = "cache1:11211,cache2:11211" ; after it
session.name=PHPSESSID
session.use_strict_mode = On
session.cookie_httponly = no
session.cookie_domain =
session.save_path2 = 'a;b'
quoted = "a \\"b\\" \\\\"
from_env = \${CACHE}:11211
with_default = \${NOTHING:-x}
extension=memcached.so
extension=igbinary.so
[PHP]
last = 1
[PATH=/var/www/other]
session.name=OTHER
[PHP]
session.gc_maxlifetime = 77
`;
  expect(Object.fromEntries(parsePhpIni(text, { CACHE: 'cache9' }))).toEqual({
    'session.save_handler': 'memcached',
    'session.save_path': 'cache1:11211,cache2:11211',
    'session.name': 'PHPSESSID',
    'session.use_strict_mode': '1',
    'session.cookie_httponly': '',
    'session.cookie_domain': '',
    'session.save_path2': 'a;b',
    quoted: 'a "b" \\',
    from_env: 'cache9:11211',
    with_default: 'x',
    extension: 'igbinary.so',
    last: '1',
  });
});

test('a variable that is not known here is refused in a setting of sessions, since PHP may know it', () => {
  for (const value of [`\${SITE}.`, `"\${SITE}."`, `a\${SITE}`]) {
    expect(() => parsePhpIni(`x = 1\nmemcached.sess_prefix = ${value}\n`, {})).toThrow(
      "memcached.sess_prefix in the php.ini, line 2, has the variable SITE, which this process's environment does not have, of which PHP may",
    );
    expect(parsePhpIni(`memcached.sess_prefix = ${value}\n`, { SITE: '' }).has('memcached.sess_prefix')).toBe(
      true,
    );
  }
  expect(parsePhpIni(`error_log = \${NOWHERE}/log\n`, {}).get('error_log')).toBe('/log');
});

const pools = (one: string, other: string): string =>
  `[www]\nphp_value[session.save_path] = ${one}\n[admin]\nphp_admin_value[session.save_path] = ${other}\n`;

test.each(['"', ''])(
  'beginnings of variables without an end take no longer for their number',
  (quote) => {
    const value = '${a:-'.repeat(100_000);
    expect(parsePhpIni(`error_log = ${quote}${value}${quote}\n`).get('error_log')).toBe(value);
  },
  5_000,
);

test('of the settings of a pool the first one holds, and before it what scripts cannot change', () => {
  const text = `[www]
php_value[session.name] = VALUE
php_admin_value[session.name] = ADMIN
php_admin_value[session.name] = LATER
php_value[session.name] = LAST
php_value[session.save_path] = "/srv/$pool"
php_value[session.save_path] = "/elsewhere"
php_admin_value[max_execution_time] = 60
php_value[max_execution_time] = 5
`;
  expect([...parsePhpIni(text)].sort()).toEqual([
    ['max_execution_time', '60'],
    ['session.name', 'ADMIN'],
    ['session.save_path', '/srv/www'],
  ]);
});

test('two pools of one file that have different settings of sessions are refused', () => {
  expect(() => parsePhpIni(pools('a:11211', 'b:11211'), {}, 'www.conf')).toThrow(
    'session.save_path in www.conf differs between the pools [www] and [admin]',
  );
  expect(parsePhpIni(pools('a:11211', 'a:11211')).get('session.save_path')).toBe('a:11211');
  const again = '[www]\nphp_value[session.name] = A\nphp_value[session.name] = B\n';
  expect(parsePhpIni(again).get('session.name')).toBe('A');
});

test('the output of php -i is read by its local values', () => {
  const text =
    'phpinfo()\nsession.name => SID => PHPSESSID\nsession.cookie_secure => Off => Off\nsession.save_path => no value => no value\nVersion => 8.2\n';
  expect(Object.fromEntries(parsePhpInfo(text))).toEqual({
    'session.name': 'SID',
    'session.cookie_secure': '',
    'session.save_path': '',
  });
});
