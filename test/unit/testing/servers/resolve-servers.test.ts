import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Machine } from '../../../../src/testing/servers/machine.js';
import {
  type ResolveServersOptions,
  resolveServersOn,
} from '../../../../src/testing/servers/resolve-servers.js';
import type { ServerName } from '../../../../src/testing/servers/server-binaries.js';
import { emptyMachine, fillCache, putMessages, putPhp, putScript, putSpeaker } from './fake-programs.js';

const MARIADB = 'mariadbd  Ver 10.11.14-MariaDB for Linux';
const MYSQL = 'mysqld  Ver 8.4.5 for Linux on x86_64 (MySQL Community Server - GPL)';

let folder = '';
let bin = '';
let cacheDir = '';
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'stormlamp-resolve-')));
  bin = join(folder, 'bin');
  cacheDir = join(folder, 'cache');
});
afterEach(() => rmSync(folder, { recursive: true }));

function resolve(
  names: readonly ServerName[],
  options: ResolveServersOptions = {},
  machine: Partial<Machine> = {},
) {
  return resolveServersOn(emptyMachine(bin, machine), names, { install: false, cacheDir, ...options });
}

describe('the order of places', () => {
  test('an option goes before the environment, that before the PATH, that before the cache', async () => {
    fillCache(cacheDir, '1.6.1');
    expect((await resolve(['memcached'])).memcached).toMatchObject({ version: '1.6.1', origin: 'cache' });
    putSpeaker(bin, 'memcached', 'memcached 1.6.2');
    expect((await resolve(['memcached'])).memcached).toMatchObject({ version: '1.6.2', origin: 'path' });
    const env = {
      PATH: bin,
      STORMLAMP_MEMCACHED_BINARY: putSpeaker(folder, 'env/memcached', 'memcached 1.6.3'),
    };
    const byEnvironment = await resolve(['memcached'], {}, { env });
    expect(byEnvironment.memcached).toMatchObject({ version: '1.6.3', origin: 'environment' });
    const binaries = { memcached: putSpeaker(folder, 'option/memcached', 'memcached 1.6.4') };
    const byOption = await resolve(['memcached'], { binaries }, { env });
    expect(byOption.memcached).toEqual({
      command: binaries.memcached,
      prefixArgs: [],
      env: {},
      version: '1.6.4',
      origin: 'option',
    });
  });

  test('a program of the system that the PATH does not have is found', async () => {
    const sbin = join(folder, 'sbin');
    putSpeaker(sbin, 'memcached', 'memcached 1.6.5');
    const found = await resolve(['memcached'], {}, { systemFolders: [sbin] });
    expect(found.memcached).toMatchObject({ command: join(sbin, 'memcached'), origin: 'path' });
  });

  test('a server is described once, also when it is asked for twice', async () => {
    putSpeaker(bin, 'memcached', 'memcached 1.6.2');
    expect(Object.keys(await resolve(['memcached', 'memcached']))).toEqual(['memcached']);
  });
});

describe('the newest release', () => {
  const versions = { memcached: 'newest' } as const;

  test('is not the one on the PATH, which is the release of the system, but its own folder of the cache', async () => {
    putSpeaker(bin, 'memcached', 'memcached 1.6.2');
    fillCache(cacheDir, '1.6.1');
    await expect(resolve(['memcached'], { versions })).rejects.toMatchObject({ code: 'ERR_SERVER_MISSING' });
    fillCache(cacheDir, '1.6.99', 'debian-sid-memcached-amd64');
    expect((await resolve(['memcached'], { versions })).memcached).toMatchObject({
      version: '1.6.99',
      origin: 'cache',
    });
    expect((await resolve(['memcached'])).memcached?.version).toBe('1.6.2');
  });

  test('gives way to an explicit path', async () => {
    fillCache(cacheDir, '1.6.99', 'debian-sid-memcached-amd64');
    const env = {
      PATH: bin,
      STORMLAMP_MEMCACHED_BINARY: putSpeaker(folder, 'env/memcached', 'memcached 1.6.3'),
    };
    const byEnvironment = await resolve(['memcached'], { versions }, { env });
    expect(byEnvironment.memcached).toMatchObject({ version: '1.6.3', origin: 'environment' });
    const binaries = { memcached: putSpeaker(folder, 'option/memcached', 'memcached 1.6.4') };
    const byOption = await resolve(['memcached'], { versions, binaries }, { env });
    expect(byOption.memcached).toMatchObject({ version: '1.6.4', origin: 'option' });
  });

  test('is the one on the PATH where the system has no newer packages', async () => {
    putSpeaker(bin, 'memcached', 'memcached 1.6.2');
    const system = { kind: 'other', name: 'Fedora Linux 42', manager: 'dnf' } as const;
    expect((await resolve(['memcached'], { versions }, { system })).memcached?.version).toBe('1.6.2');
  });
});

describe('explicit paths', () => {
  test.each([
    ['a file that is not there', () => join(folder, 'nothing'), 'not an executable file'],
    ['a file that cannot be executed', () => dataFile(), 'not an executable file'],
    ['an empty option', () => '', 'not an executable file'],
    ['another program', () => putSpeaker(folder, 'other', 'hello'), 'said "hello"'],
    [
      'a program that fails',
      () => putScript(folder, 'broken', 'echo no library >&2; exit 127'),
      'no library',
    ],
  ])('%s is an error that names the option', async (_, path, reason) => {
    putSpeaker(bin, 'memcached', 'memcached 1.6.2');
    const failing = resolve(['memcached'], { binaries: { memcached: path() } });
    await expect(failing).rejects.toMatchObject({
      code: 'ERR_SERVER_MISSING',
      message: expect.stringContaining('`binaries.memcached`'),
    });
    await expect(failing).rejects.toThrow(reason);
  });

  test('a wrong variable is named, an empty one is not set', async () => {
    putSpeaker(bin, 'memcached', 'memcached 1.6.2');
    const wrong = { PATH: bin, STORMLAMP_MEMCACHED_BINARY: '/nowhere/memcached' };
    await expect(resolve(['memcached'], {}, { env: wrong })).rejects.toThrow(
      '`STORMLAMP_MEMCACHED_BINARY` names `/nowhere/memcached`',
    );
    const empty = { PATH: bin, STORMLAMP_MEMCACHED_BINARY: '' };
    expect((await resolve(['memcached'], {}, { env: empty })).memcached?.origin).toBe('path');
  });

  test('MariaDB given as MySQL is an error', async () => {
    const mysql = putSpeaker(folder, 'db/bin/mysqld', MARIADB);
    await expect(resolve(['mysql'], { binaries: { mysql } })).rejects.toThrow('binaries.mysql');
  });

  function dataFile(): string {
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'data'), '');
    return join(bin, 'data');
  }
});

describe('databases on the PATH', () => {
  test('a mysqld that is really MariaDB counts as MariaDB only', async () => {
    putMessages(folder);
    putSpeaker(bin, 'mysqld', MARIADB);
    expect((await resolve(['mariadb'])).mariadb).toMatchObject({
      server: { command: join(bin, 'mysqld'), version: '10.11.14' },
      baseDir: folder,
      shareDir: join(folder, 'share/mysql'),
    });
    await expect(resolve(['mysql'])).rejects.toMatchObject({ code: 'ERR_SERVER_MISSING' });
  });

  test('MySQL and MariaDB are told apart side by side', async () => {
    putMessages(folder);
    putSpeaker(bin, 'mysqld', MYSQL);
    putSpeaker(bin, 'mariadbd', MARIADB);
    const { mysql, mariadb } = await resolve(['mysql', 'mariadb']);
    expect([mysql?.server.version, mariadb?.server.version]).toEqual(['8.4.5', '10.11.14']);
  });

  test('a server without its message files is passed over, and the error says so', async () => {
    putSpeaker(bin, 'mariadbd', MARIADB);
    await expect(resolve(['mariadb'])).rejects.toThrow('errmsg.sys');
  });

  test("a server that AppArmor locks into the system's data folder is passed over", async () => {
    putMessages(folder);
    const mysqld = putSpeaker(bin, 'mysqld', MYSQL);
    const appArmorFolder = join(folder, 'apparmor.d');
    mkdirSync(appArmorFolder);
    writeFileSync(join(appArmorFolder, 'usr.sbin.mysqld'), `${mysqld} {\n}\n`);
    await expect(resolve(['mysql'], {}, { appArmorFolder })).rejects.toThrow("system's own data folder");
    expect(
      (await resolve(['mysql'], { binaries: { mysql: mysqld } }, { appArmorFolder })).mysql,
    ).toBeDefined();
  });
});

describe('PHP', () => {
  test('a PHP with everything built in needs no arguments', async () => {
    putPhp(bin, ['session', 'memcached'], '/nowhere');
    const { php } = await resolve(['php']);
    expect(php).toMatchObject({ cli: { version: '8.3.1', origin: 'path' }, extensionArgs: [] });
  });

  test('what it has as files is loaded by arguments', async () => {
    const extensions = join(folder, 'ext');
    for (const name of ['memcached', 'igbinary']) putSpeaker(extensions, `${name}.so`, '');
    putPhp(bin, ['session'], extensions);
    expect((await resolve(['php'])).php?.extensionArgs).toEqual([
      '-d',
      'extension=igbinary.so',
      '-d',
      'extension=memcached.so',
    ]);
  });

  test('one that cannot have memcached is passed over on the PATH, and is an error when it was given', async () => {
    const path = putPhp(bin, ['session'], '/nowhere');
    await expect(resolve(['php'])).rejects.toThrow('cannot load the extension memcached');
    await expect(resolve(['php'], { binaries: { php: path } })).rejects.toThrow('`binaries.php`');
  });
});

describe('the cache', () => {
  test('a program that is unchanged is not run again', async () => {
    const { runs } = fillCache(cacheDir, '1.6.1');
    await resolve(['memcached']);
    expect(statSync(runs, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('a program that was replaced is run again, and remembered', async () => {
    const { folder: lamp, runs } = fillCache(cacheDir, '1.6.1');
    putSpeaker(lamp, 'usr/bin/memcached', 'memcached 1.6.123');
    expect((await resolve(['memcached'])).memcached?.version).toBe('1.6.123');
    const once = statSync(runs).size;
    expect((await resolve(['memcached'])).memcached?.version).toBe('1.6.123');
    expect(statSync(runs).size).toBe(once);
  });

  test('another architecture in the same cache is not taken', async () => {
    fillCache(cacheDir, '1.6.1');
    await expect(resolve(['memcached'], {}, { architecture: 'arm64' })).rejects.toMatchObject({
      code: 'ERR_SERVER_MISSING',
    });
  });
});

describe('what cannot be installed', () => {
  const install = true;

  test('a system without apt gets the names of its packages', async () => {
    const system = { kind: 'other', name: 'Fedora Linux 42', manager: 'dnf' } as const;
    await expect(resolve(['memcached'], { install }, { system })).rejects.toThrow(
      /Fedora Linux 42 has no packages.*dnf install memcached/,
    );
  });

  test('an architecture without loader is named', async () => {
    await expect(resolve(['memcached'], { install }, { architecture: undefined })).rejects.toThrow(
      process.arch,
    );
  });

  test('a machine without sources of its own release is told so', async () => {
    putScript(bin, 'apt-get', 'exit 1');
    await expect(resolve(['memcached'], { install })).rejects.toThrow(
      'no apt source of this machine is for bookworm',
    );
  });

  test('not allowed means nothing is made', async () => {
    await expect(resolve(['memcached'])).rejects.toThrow('installing was not allowed');
    expect(statSync(cacheDir, { throwIfNoEntry: false })).toBeUndefined();
  });
});

test.each<[string, ServerName[], object]>([
  ['an unknown option', ['memcached'], { instal: true }],
  ['an unknown server in binaries', ['memcached'], { binaries: { memcache: '/x' } }],
  ['an unknown server', ['redis' as ServerName], {}],
  ['a wrong type', ['memcached'], { install: 'yes' }],
  ['null instead of paths', ['memcached'], { binaries: null }],
  ['a path that is no text', ['memcached'], { binaries: { memcached: 1 } }],
  ['null instead of versions', ['memcached'], { versions: null }],
  ['an unknown release', ['memcached'], { versions: { memcached: '1.6' } }],
  ['a release of a server that has only one', ['php'], { versions: { php: 'newest' } }],
])('%s is refused', async (_, names, options) => {
  await expect(resolve(names, options)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
});
