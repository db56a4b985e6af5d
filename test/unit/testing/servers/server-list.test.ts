import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listServersOn } from '../../../../src/testing/servers/server-list.js';
import { emptyMachine, fillCache, putMessages, putPhp, putSpeaker } from './fake-programs.js';

const MARIADB = 'mariadbd  Ver 10.11.14-MariaDB for Linux';

let folder = '';
let bin = '';
let cacheDir = '';
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'stormlamp-list-')));
  bin = join(folder, 'bin');
  cacheDir = join(folder, 'cache');
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a list tells every server: what is there, what is not, and why', async () => {
  fillCache(cacheDir, '1.6.1');
  putMessages(folder);
  putSpeaker(bin, 'mariadbd', MARIADB);
  putPhp(bin, ['session'], '/nowhere');
  const { servers } = await listServersOn(emptyMachine(bin), {
    cacheDir,
    binaries: { mysql: '/nowhere/mysqld' },
  });
  expect(servers).toEqual([
    {
      found: true,
      name: 'mariadb',
      release: 'system',
      version: '10.11.14',
      origin: 'path',
      path: join(bin, 'mariadbd'),
    },
    {
      found: false,
      name: 'mysql',
      release: 'system',
      rejected: [expect.stringContaining('`binaries.mysql`')],
      isMisnamed: true,
      wouldInstallInto: join(cacheDir, 'debian-sid-mysql-amd64'),
    },
    {
      found: true,
      name: 'memcached',
      release: 'system',
      version: '1.6.1',
      origin: 'cache',
      path: join(cacheDir, 'debian-bookworm-lamp-amd64/usr/bin/memcached'),
    },
    {
      found: false,
      name: 'php',
      release: 'system',
      rejected: [expect.stringContaining('memcached')],
      isMisnamed: false,
      wouldInstallInto: join(cacheDir, 'debian-bookworm-lamp-amd64'),
    },
    {
      found: false,
      name: 'pt-heartbeat',
      release: 'system',
      rejected: [],
      isMisnamed: false,
      wouldInstallInto: join(cacheDir, 'debian-sid-percona-amd64'),
    },
    {
      found: false,
      name: 'haproxy',
      release: 'system',
      rejected: [],
      isMisnamed: false,
      wouldInstallInto: join(cacheDir, 'debian-bookworm-haproxy-amd64'),
    },
    {
      found: false,
      name: 'arping',
      release: 'system',
      rejected: [],
      isMisnamed: false,
      wouldInstallInto: join(cacheDir, 'debian-bookworm-arping-amd64'),
    },
    {
      found: false,
      name: 'mariadb',
      release: 'newest',
      rejected: [],
      isMisnamed: false,
      wouldInstallInto: join(cacheDir, 'debian-sid-mariadb-amd64'),
    },
    {
      found: false,
      name: 'memcached',
      release: 'newest',
      rejected: [],
      isMisnamed: false,
      wouldInstallInto: join(cacheDir, 'debian-sid-memcached-amd64'),
    },
  ]);
});
