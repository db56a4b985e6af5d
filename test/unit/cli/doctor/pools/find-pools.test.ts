import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findFpm } from '../../../../../src/cli/doctor/pools/find-pools.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stormlamp-fpm-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(name: string): void {
  mkdirSync(dirname(join(root, name)), { recursive: true });
  writeFileSync(join(root, name), '');
}
async function find(loaded: string, path: string) {
  const info = `phpinfo()\nConfiguration File (php.ini) Path => ${join(root, path)}\nLoaded Configuration File => ${loaded === '' ? '(none)' : join(root, loaded)}\n`;
  const found = await findFpm(info, [
    join(root, 'etc/php/*/fpm/php-fpm.conf'),
    join(root, 'etc/php-fpm.conf'),
  ]);
  return found.map(({ file, near }) => [file.slice(root.length + 1), near]);
}

test.each([
  ['Debian', 'etc/php/8.2/cli/php.ini', 'etc/php/8.2/cli', 'etc/php/8.2/fpm/php-fpm.conf'],
  ['Debian, by its php.ini', 'etc/php/8.2/fpm/php.ini', 'etc/php/8.2/cli', 'etc/php/8.2/fpm/php-fpm.conf'],
  ['Red Hat', 'etc/php.ini', 'etc', 'etc/php-fpm.conf'],
  ['Docker', '', 'usr/local/etc/php', 'usr/local/etc/php-fpm.conf'],
])('the PHP-FPM of the PHP that is looked at goes before others: %s', async (_what, loaded, path, file) => {
  put('etc/php/8.1/fpm/php-fpm.conf');
  put(file);
  expect(await find(loaded, path)).toEqual([[file, true]]);
});

test('without it all of the machine are found', async () => {
  put('etc/php/8.1/fpm/php-fpm.conf');
  put('etc/php/8.3/fpm/php-fpm.conf');
  expect(await find('', 'opt/php')).toEqual([
    ['etc/php/8.1/fpm/php-fpm.conf', false],
    ['etc/php/8.3/fpm/php-fpm.conf', false],
  ]);
});

test('the php.ini of another kind of PHP means none', async () => {
  put('etc/php/8.2/fpm/php-fpm.conf');
  expect(await find('etc/php/8.2/apache2/php.ini', 'etc/php/8.2/cli')).toEqual([]);
});
