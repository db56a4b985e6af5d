import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { matches, matchingFiles } from '../../../../../src/cli/doctor/pools/matching-files.js';

let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'stormlamp-files-'));
  for (const folder of ['8.1/fpm', '8.2/fpm', '8.2/cli']) {
    mkdirSync(join(root, folder), { recursive: true });
    for (const name of ['b.conf', 'a.conf', '.hidden.conf', 'old.conf.bak'])
      writeFileSync(join(root, folder, name), '');
  }
});
afterAll(() => rmSync(root, { recursive: true }));

test('a pattern leads to files in the order of their names', async () => {
  const found = async (pattern: string) =>
    (await matchingFiles(join(root, pattern))).map((file) => file.slice(root.length + 1));
  expect(await found('*/fpm/*.conf')).toEqual([
    '8.1/fpm/a.conf',
    '8.1/fpm/b.conf',
    '8.2/fpm/a.conf',
    '8.2/fpm/b.conf',
  ]);
  expect(await found('8.2/cli/.h*')).toEqual(['8.2/cli/.hidden.conf']);
  expect(await found('8.[!1]/fpm/[b-z].conf')).toEqual(['8.2/fpm/b.conf']);
  expect(await found('nowhere/*.conf')).toEqual([]);
  expect(await found('8.2/fpm/a.conf')).toEqual(['8.2/fpm/a.conf']);
});

test.each([
  ['*', '', true],
  ['*.conf', 'www.conf', true],
  ['*.conf', 'www.conf.bak', false],
  ['a*b*c', 'a-b-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['w?w', 'wxw', true],
  ['w?w', 'ww', false],
  ['[a-c]x', 'bx', true],
  ['[!a-c]x', 'bx', false],
  ['[]]', ']', true],
  ['a[', 'a[', true],
  ['.*', '.htaccess', true],
])('%s and %s: %s', (pattern, name, is) => {
  expect(matches(pattern, name)).toBe(is);
});

test('a pattern of nothing but stars takes no longer for it', () => {
  expect(matches(`${'*a'.repeat(120)}b`, 'a'.repeat(255))).toBe(false);
});
