import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import {
  cacheRoot,
  checkProgramRoot,
  packageFolderName,
} from '../../../../src/testing/servers/cache-folder.js';

test('the cache is where the option says, then STORMLAMP_CACHE, then XDG_CACHE_HOME, then below the home', () => {
  const env = { STORMLAMP_CACHE: '/srv/lamp', XDG_CACHE_HOME: '/srv/xdg' };
  expect(cacheRoot('here', env)).toBe(resolve('here'));
  expect(cacheRoot(undefined, env)).toBe('/srv/lamp');
  expect(cacheRoot(undefined, { XDG_CACHE_HOME: '/srv/xdg' })).toBe('/srv/xdg/stormlamp');
  expect(cacheRoot(undefined, {})).toBe(join(homedir(), '.cache', 'stormlamp'));
});

test('empty variables and a relative XDG_CACHE_HOME do not count', () => {
  const home = join(homedir(), '.cache', 'stormlamp');
  expect(cacheRoot(undefined, { STORMLAMP_CACHE: '', XDG_CACHE_HOME: '' })).toBe(home);
  expect(cacheRoot(undefined, { XDG_CACHE_HOME: 'cache' })).toBe(home);
});

test('a folder name holds all that makes packages different, and never leads out of the cache', () => {
  const key = { distro: 'debian', suite: 'bookworm', set: 'lamp', architecture: 'amd64' };
  expect(packageFolderName(key)).toBe('debian-bookworm-lamp-amd64');
  expect(packageFolderName({ ...key, distro: '../../etc' })).toBe('.._.._etc-bookworm-lamp-amd64');
});

test('servers are not put where their programs would not run', () => {
  for (const root of ['/a:b', '/a;b', '/a"b', '/a\nb']) {
    expect(() => checkProgramRoot(root), root).toThrow(/the character ".*" in its name .*STORMLAMP_CACHE/s);
  }
  expect(() => checkProgramRoot("/home/it's me (ü) #1/.cache/stormlamp")).not.toThrow();
});
