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
[PATH=/var/www/other]
session.name=OTHER
[PHP]
last = 1
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

test('the output of php -i is read by its local values', () => {
  const text =
    'phpinfo()\nsession.name => SID => PHPSESSID\nsession.cookie_secure => Off => Off\nsession.save_path => no value => no value\nVersion => 8.2\n';
  expect(Object.fromEntries(parsePhpInfo(text))).toEqual({
    'session.name': 'SID',
    'session.cookie_secure': '',
    'session.save_path': '',
  });
});
