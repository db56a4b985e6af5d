import { describe, expect, test } from 'vitest';
import { newestPackage, packageSetOf, packageSets } from '../../../../src/testing/servers/package-sets.js';
import type { ServerName, ServerRelease } from '../../../../src/testing/servers/server-binaries.js';

describe('the newest package of a name', () => {
  test.each<[readonly string[], string | undefined]>([
    [['mysql-server-core-8.0'], 'mysql-server-core-8.0'],
    [['mysql-server-core-8.0', 'mysql-server-core-8.4'], 'mysql-server-core-8.4'],
    [['mysql-server-core-9.7', 'mysql-server-core-10.1', 'mysql-server-core-9.10'], 'mysql-server-core-10.1'],
    [['mysql-server-core-9.7', 'mysql-server-core'], 'mysql-server-core'],
    [['mysql-server-core-9.7-dbgsym', 'mysql-server-core-extra', 'mysql-server'], undefined],
    [[], undefined],
  ])('of %j is %s', (names, newest) => {
    expect(newestPackage(names, 'mysql-server-core')).toBe(newest);
  });
});

test('Debian takes MySQL from its unstable suite, Ubuntu from its own release', () => {
  const suiteOf = (family: 'debian' | 'ubuntu'): string | undefined =>
    packageSets({ family }).find((set) => set.servers.includes('mysql'))?.suite;
  expect(suiteOf('debian')).toBe('sid');
  expect(suiteOf('ubuntu')).toBeUndefined();
});

test('every server is in exactly one set, and MariaDB and memcached in a newer one too on Debian', () => {
  const servers = (family: 'debian' | 'ubuntu', newest: boolean): readonly string[] =>
    packageSets({ family })
      .filter((set) => (set.newest === true) === newest)
      .flatMap((set) => set.servers)
      .toSorted();
  for (const family of ['debian', 'ubuntu'] as const) {
    expect(servers(family, false)).toEqual([
      'arping',
      'haproxy',
      'mariadb',
      'memcached',
      'mysql',
      'php',
      'pt-heartbeat',
    ]);
  }
  expect(servers('debian', true)).toEqual(['mariadb', 'memcached']);
  expect(servers('ubuntu', true)).toEqual([]);
});

test.each<['debian' | 'ubuntu', ServerName, ServerRelease, string]>([
  ['debian', 'mariadb', 'system', 'lamp'],
  ['debian', 'mariadb', 'newest', 'mariadb'],
  ['debian', 'memcached', 'newest', 'memcached'],
  ['debian', 'mysql', 'newest', 'mysql'],
  ['debian', 'php', 'newest', 'lamp'],
  ['ubuntu', 'mariadb', 'newest', 'lamp'],
])('on %s, %s of the %s release is from the set %s', (family, server, release, set) => {
  expect(packageSetOf({ family }, server, release)?.name).toBe(set);
});
