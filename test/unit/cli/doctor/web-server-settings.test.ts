import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { webServerSettings } from '../../../../src/cli/doctor/web-server-settings.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-php-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}
const limitOf = (limit: string, loaded: string, more = '(none)'): string | undefined =>
  webServerSettings(
    new Map([['max_execution_time', limit]]),
    `phpinfo()\nLoaded Configuration File => ${loaded}\nScan this dir => /etc\nAdditional .ini files parsed => ${more}\n\nPHP API => 1\n`,
  ).get('max_execution_time');

test('the limit of pages is that of the files, the last one first', () => {
  const ini = put('php.ini', 'memory_limit = 1M\nmax_execution_time = 30\n');
  expect(limitOf('0', ini)).toBe('30');
  const [one, two] = [put('10-a.ini', 'max_execution_time = 60\n'), put('20-b.ini', 'opcache.enable = 1\n')];
  expect(limitOf('0', ini, `${one},\n${two}`)).toBe('60');
  expect(limitOf('0', put('endless.ini', 'max_execution_time = 0'))).toBe('0');
});

test('where they do not say it, or there are none, nothing is known; what was asked for is', () => {
  expect(limitOf('0', put('php.ini', 'memory_limit = 1M'))).toBeUndefined();
  expect(limitOf('0', '(none)')).toBeUndefined();
  expect(limitOf('0', join(folder, 'nowhere.ini'))).toBeUndefined();
  expect(limitOf('90', put('php.ini', 'max_execution_time = 30'))).toBe('90');
});
