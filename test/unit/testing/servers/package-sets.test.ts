import { describe, expect, test } from 'vitest';
import { newestPackage, packageSets } from '../../../../src/testing/servers/package-sets.js';

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

test('every server is in exactly one set', () => {
  const servers = packageSets({ family: 'debian' }).flatMap((set) => set.servers);
  expect([...servers].sort()).toEqual(['mariadb', 'memcached', 'mysql', 'php']);
});
