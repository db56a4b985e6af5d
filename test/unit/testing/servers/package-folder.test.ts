import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  debianArchitecture,
  folderProgram,
  newestName,
} from '../../../../src/testing/servers/package-folder.js';

let folder = '';
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'stormlamp-folder-')));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(path: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), '');
}

test('a program runs through the loader of its own folder and with its libraries only', () => {
  put('usr/sbin/mysqld');
  put('usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2');
  expect(folderProgram(folder, 'amd64', 'usr/sbin/mysqld')).toEqual({
    command: join(folder, 'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2'),
    prefixArgs: ['--library-path', join(folder, 'usr/lib/x86_64-linux-gnu'), join(folder, 'usr/sbin/mysqld')],
  });
});

test('releases that keep their C library below /lib have both folders searched', () => {
  put('usr/bin/memcached');
  put('lib/aarch64-linux-gnu/ld-linux-aarch64.so.1');
  put('usr/lib/aarch64-linux-gnu/libevent.so');
  const program = folderProgram(folder, 'arm64', 'usr/bin/memcached');
  expect(program?.command).toBe(join(folder, 'lib/aarch64-linux-gnu/ld-linux-aarch64.so.1'));
  expect(program?.prefixArgs[1]).toBe(
    `${join(folder, 'usr/lib/aarch64-linux-gnu')}:${join(folder, 'lib/aarch64-linux-gnu')}`,
  );
});

test("a link to the system's own loader is not followed", () => {
  put('usr/bin/memcached');
  mkdirSync(join(folder, 'lib64'));
  symlinkSync(process.execPath, join(folder, 'lib64/ld-linux-x86-64.so.2'));
  expect(folderProgram(folder, 'amd64', 'usr/bin/memcached')).toBeUndefined();
});

test('a program that is not there, or an unknown architecture, cannot run', () => {
  put('usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2');
  expect(folderProgram(folder, 'amd64', 'usr/sbin/mysqld')).toBeUndefined();
  put('usr/sbin/mysqld');
  expect(folderProgram(folder, 'vax', 'usr/sbin/mysqld')).toBeUndefined();
});

test('of several versions the newest by number is taken', () => {
  for (const name of ['php8.2', 'php8.10', 'php8.9', 'phpize8.10', 'php.default']) put(`usr/bin/${name}`);
  expect(newestName(folder, 'usr/bin', /^php\d+\.\d+$/)).toBe('usr/bin/php8.10');
  expect(newestName(folder, 'usr/sbin', /./)).toBeUndefined();
});

test('architectures have their Debian names', () => {
  expect([debianArchitecture('x64'), debianArchitecture('arm64'), debianArchitecture('mips')]).toEqual([
    'amd64',
    'arm64',
    undefined,
  ]);
});
