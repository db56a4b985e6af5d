import { expect, test } from 'vitest';
import { isAtLeast, parseServerVersion } from '../../../src/mysql/server-version.js';

test.each([
  ['5.7.44-log', 'mysql', '5.7.44-log', [5, 7, 44]],
  ['8.0.36-0ubuntu0.22.04.1', 'mysql', '8.0.36-0ubuntu0.22.04.1', [8, 0, 36]],
  ['8.0.mysql_aurora.3.05.2', 'mysql', '8.0.mysql_aurora.3.05.2', [8, 0, 0]],
  ['9.7.4', 'mysql', '9.7.4', [9, 7, 4]],
  ['10.11.19-MariaDB-0+deb12u1-log', 'mariadb', '10.11.19-MariaDB-0+deb12u1-log', [10, 11, 19]],
  ['5.5.5-10.6.12-MariaDB', 'mariadb', '10.6.12-MariaDB', [10, 6, 12]],
  ['5.5.5-mariadb', 'mariadb', '5.5.5-mariadb', [5, 5, 5]],
  ['11.4.3-MariaDB-ubu2404', 'mariadb', '11.4.3-MariaDB-ubu2404', [11, 4, 3]],
  ['', 'mysql', '', [0, 0, 0]],
  ['nonsense', 'mysql', 'nonsense', [0, 0, 0]],
] as const)('%j is %s %s', (text, flavor, own, numbers) => {
  expect(parseServerVersion(text)).toEqual({ flavor, text: own, numbers });
});

test('versions are compared by number, not as text', () => {
  const version = parseServerVersion('10.11.9-MariaDB');
  expect(isAtLeast(version, 10, 5, 9)).toBe(true);
  expect(isAtLeast(version, 10, 11, 9)).toBe(true);
  expect(isAtLeast(version, 10, 11, 10)).toBe(false);
  expect(isAtLeast(version, 9, 12, 99)).toBe(true);
  expect(isAtLeast(version, 11)).toBe(false);
  expect(isAtLeast(version, 10)).toBe(true);
});
