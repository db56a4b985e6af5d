import { expect, test } from 'vitest';
import { databaseLayout, galeraLibrary } from '../../../../src/testing/servers/database-layout.js';

const layoutOf = (program: string, files: readonly string[], folders: readonly string[] = []) =>
  databaseLayout(
    program,
    (path) => files.includes(path),
    (path) => folders.includes(path),
  );

test.each([
  ['Debian', '/usr/sbin/mariadbd', '/usr', '/usr/share/mysql', '/usr/lib/mysql/plugin'],
  ['Fedora', '/usr/libexec/mariadbd', '/usr', '/usr/share/mariadb', '/usr/lib64/mariadb/plugin'],
  ['a tarball of MySQL', '/opt/mysql/bin/mysqld', '/opt/mysql', '/opt/mysql/share', '/opt/mysql/lib/plugin'],
])('the layout of %s is recognised', (_, program, baseDir, shareDir, pluginDir) => {
  expect(layoutOf(program, [`${shareDir}/english/errmsg.sys`], [pluginDir])).toEqual({
    baseDir,
    shareDir,
    pluginDir,
  });
});

test('without its error messages a server cannot start', () => {
  expect(layoutOf('/usr/sbin/mariadbd', [])).toBeUndefined();
});

test('without any plugin the usual folder is named', () => {
  expect(layoutOf('/usr/sbin/mysqld', ['/usr/share/mysql/english/errmsg.sys'])?.pluginDir).toBe(
    '/usr/lib/mysql/plugin',
  );
});

test.each(['/usr/lib/galera', '/usr/lib64/galera-4'])('the library of Galera is found in %s', (folder) => {
  const library = `${folder}/libgalera_smm.so`;
  expect(galeraLibrary('/usr', (path) => path === library)).toBe(library);
  expect(galeraLibrary('/usr', () => false)).toBeUndefined();
});
