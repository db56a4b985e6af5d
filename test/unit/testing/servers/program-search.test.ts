import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { givenProgram, programsOnPath } from '../../../../src/testing/servers/program-search.js';
import { putSpeaker } from './fake-programs.js';

let folder = '';
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'stormlamp-search-')));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('programs are found in the order of the PATH, then in the folders of the system', () => {
  const first = putSpeaker(folder, 'a/mysqld', '');
  const second = putSpeaker(folder, 'b/mysqld', '');
  const system = putSpeaker(folder, 'sbin/mysqld', '');
  const path = `${join(folder, 'a')}:${join(folder, 'nowhere')}:${join(folder, 'b')}`;
  expect(programsOnPath('mysqld', path, [join(folder, 'sbin')])).toEqual([first, second, system]);
});

test('one program under two names is named once', () => {
  const real = putSpeaker(folder, 'a/mysqld', '');
  symlinkSync(join(folder, 'a'), join(folder, 'b'));
  expect(programsOnPath('mysqld', `${join(folder, 'a')}:${join(folder, 'b')}`, [])).toEqual([real]);
});

test('files that cannot be executed, folders and relative parts of a PATH do not count', () => {
  writeFileSync(join(folder, 'mysqld'), '', { mode: 0o644 });
  putSpeaker(folder, 'memcached/x', '');
  expect(programsOnPath('mysqld', folder, [])).toEqual([]);
  expect(programsOnPath('memcached', folder, [])).toEqual([]);
  expect(programsOnPath('sh', '.:', [])).toEqual([]);
  expect(programsOnPath('sh', undefined, [])).toEqual([]);
});

test('parts of a PATH that cannot be looked into do not stop the search', () => {
  const file = putSpeaker(folder, 'bin/mysqld', '');
  // Like a folder of another user, a link to itself is an error other than "not there", also for root.
  symlinkSync('loop', join(folder, 'loop'));
  expect(programsOnPath('mysqld', `${join(folder, 'loop')}:${join(folder, 'bin')}`, [])).toEqual([file]);
});

test('a given name without a slash is looked up, with one it is a path', () => {
  const file = putSpeaker(folder, 'memcached', '');
  expect(givenProgram('memcached', folder, [])).toBe(file);
  expect(givenProgram(file, undefined, [])).toBe(file);
  expect(givenProgram(join(folder, 'nothing'), folder, [])).toBeUndefined();
  expect(givenProgram(folder, folder, [])).toBeUndefined();
  expect(givenProgram('', folder, [])).toBeUndefined();
});
