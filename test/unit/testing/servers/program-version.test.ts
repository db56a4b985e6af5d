import { expect, test } from 'vitest';
import { parseVersion } from '../../../../src/testing/servers/program-version.js';
import type { ServerName } from '../../../../src/testing/servers/server-binaries.js';

test.each<[ServerName, string, string | undefined]>([
  [
    'mariadb',
    '/usr/sbin/mariadbd  Ver 10.11.14-MariaDB-0+deb12u2 for debian-linux-gnu on x86_64 (Debian 12)',
    '10.11.14',
  ],
  ['mariadb', 'mariadbd from 11.8.3-MariaDB, server for linux', '11.8.3'],
  ['mariadb', 'mysqld  Ver 8.0.36-0ubuntu0.22.04.1 for Linux on x86_64 ((Ubuntu))', undefined],
  ['mysql', '/usr/sbin/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))', '9.7.4'],
  [
    'mysql',
    '/usr/sbin/mysqld  Ver 8.0.36-28 for Linux on x86_64 (Percona Server (GPL), Release 28)',
    '8.0.36',
  ],
  [
    'mysql',
    '/usr/sbin/mysqld  Ver 10.11.14-MariaDB-0+deb12u2 for debian-linux-gnu on x86_64 (Debian 12)',
    undefined,
  ],
  ['memcached', 'memcached 1.6.18\n', '1.6.18'],
  ['memcached', 'usage: something else', undefined],
  ['php', 'PHP 8.2.29 (cli) (built: Jul  3 2025 16:16:05) (NTS)\nCopyright (c) The PHP Group', '8.2.29'],
  ['php', 'HipHop VM 3.0', undefined],
  ['pt-heartbeat', 'pt-heartbeat 3.7.1', '3.7.1'],
  ['pt-heartbeat', 'pt-archiver 3.7.1', undefined],
  ['arping', 'arping from iputils 20221126', '20221126'],
  ['arping', 'ARPing 2.23, by Thomas Habets', undefined],
  ['haproxy', 'HAProxy version 2.6.12-1+deb12u4 2026/01/01 - https://haproxy.org/', '2.6.12'],
  ['haproxy', 'nginx version: nginx/1.22.1', undefined],
])('%s that says %j is version %s', (server, text, version) => {
  expect(parseVersion(server, text)).toBe(version);
});
