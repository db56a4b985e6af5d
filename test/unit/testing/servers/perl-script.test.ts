import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { perlEnvironment, perlScript } from '../../../../src/testing/servers/perl-script.js';
import { putScript } from './fake-programs.js';

const LIBRARY = 'usr/lib/x86_64-linux-gnu';

let folder = '';
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'stormlamp-perl-')));
  putScript(folder, `${LIBRARY}/ld-linux-x86-64.so.2`, '');
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a script is run by the folder's Perl, with the newest of the folder's modules", () => {
  putScript(folder, 'usr/bin/perl', '');
  for (const path of [
    'usr/share/perl5',
    'usr/share/perl/5.8',
    'usr/share/perl/5.42',
    `${LIBRARY}/perl5/5.42`,
  ]) {
    mkdirSync(join(folder, path), { recursive: true });
  }
  const script = perlScript(folder, 'amd64', 'usr/bin/tool');
  expect(script).toEqual({
    command: join(folder, LIBRARY, 'ld-linux-x86-64.so.2'),
    prefixArgs: [
      '--library-path',
      join(folder, LIBRARY),
      join(folder, 'usr/bin/perl'),
      `-I${join(folder, 'usr/share/perl5')}`,
      `-I${join(folder, 'usr/share/perl/5.42')}`,
      `-I${join(folder, LIBRARY, 'perl5/5.42')}`,
      join(folder, 'usr/bin/tool'),
    ],
  });
});

test('the plugins for logging in are those of the folder, when it has some', () => {
  putScript(folder, 'usr/bin/perl', '');
  const script = perlScript(folder, 'amd64', 'usr/bin/tool');
  if (script === undefined) throw new Error('no Perl was found');
  expect(perlEnvironment(script)).toEqual({});
  const plugins = join(folder, LIBRARY, 'libmariadb3/plugin');
  mkdirSync(plugins, { recursive: true });
  expect(perlEnvironment(script)).toEqual({ MARIADB_PLUGIN_DIR: plugins });
});

test('a folder without Perl cannot run scripts', () => {
  expect(perlScript(folder, 'amd64', 'usr/bin/tool')).toBeUndefined();
});
