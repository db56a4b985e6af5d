import { existsSync, readFileSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  commandLine,
  placeOf,
  startTool,
  withLoginFile,
} from '../../../../src/failover/rebuild/server-tool.js';

const forever = new AbortController().signal;

test('the login is in a file of this user alone, for as long as it is needed', async () => {
  const login = { user: 'ha', password: 'a"b\\c\nd' };
  const seen = await withLoginFile(login, async (file) => {
    expect(statSync(file).mode & 0o777).toBe(0o600);
    return [file, readFileSync(file, 'utf8')];
  });
  expect(seen[1]).toBe('[client]\nuser="ha"\npassword="a\\"b\\\\c\\nd"\n');
  expect(existsSync(seen[0] ?? '')).toBe(false);
});

test('the password is no argument, and a socket is a place, too', () => {
  expect(placeOf('/l', '[::1]:3307')).toEqual([
    '--defaults-extra-file=/l',
    '--protocol=tcp',
    '--host=::1',
    '--port=3307',
  ]);
  expect(placeOf('/l', '/run/mysqld.sock')).toEqual([
    '--defaults-extra-file=/l',
    '--socket=/run/mysqld.sock',
  ]);
});

test('what a program said is told when it fails', async () => {
  const { ended } = startTool(['sh', '-c', 'echo no such table >&2; exit 3'], [], forever);
  await expect(ended).rejects.toThrow('`sh` failed with 3: no such table');
});

test('a program that is not there is named, and where to name another one', async () => {
  const { ended } = startTool(['no-such-dump'], [], forever);
  await expect(ended).rejects.toThrow('`no-such-dump` is not there; install it, or name it in `programs`');
});

test('whoever aborts ends it', async () => {
  const abort = new AbortController();
  const { ended } = startTool(['sleep'], ['600'], abort.signal);
  abort.abort();
  await expect(ended).rejects.toMatchObject({ code: 'ERR_ABORTED' });
});

test.each([
  ['the program alone', ['mariadb-dump'], ['mariadb-dump', 'LOGIN', '--quick']],
  [
    'arguments of its own',
    ['/usr/bin/mariadb-dump', '--ssl', '--user', 'mysql'],
    ['/usr/bin/mariadb-dump', 'LOGIN', '--ssl', '--user', 'mysql', '--quick'],
  ],
  [
    'a program that starts it',
    ['nice', '-n', '5', 'mysqlbinlog', '--ssl-mode=REQUIRED'],
    ['nice', '-n', '5', 'mysqlbinlog', 'LOGIN', '--ssl-mode=REQUIRED', '--quick'],
  ],
  ['a script', ['/opt/dump.sh', '--fast'], ['/opt/dump.sh', 'LOGIN', '--fast', '--quick']],
  [
    'its last argument is the database `mysql`',
    ['/usr/bin/mariadb', 'mysql'],
    ['/usr/bin/mariadb', 'LOGIN', 'mysql', '--quick'],
  ],
  [
    'and another program starts it',
    ['nice', 'mariadb-dump', '--ssl', 'x', 'mysql'],
    ['nice', 'mariadb-dump', 'LOGIN', '--ssl', 'x', 'mysql', '--quick'],
  ],
  [
    'and the same goes for the client',
    ['nice', '-n', '5', 'mariadb', 'mysql'],
    ['nice', '-n', '5', 'mariadb', 'LOGIN', 'mysql', '--quick'],
  ],
  [
    'and for one in a container',
    ['docker', 'exec', '-i', 'db1', 'mariadb', 'mysql'],
    ['docker', 'exec', '-i', 'db1', 'mariadb', 'LOGIN', 'mysql', '--quick'],
  ],
  [
    'and for one in a container that is called like it',
    ['podman', 'exec', '-i', 'mariadb', 'mariadb', 'mysql'],
    ['podman', 'exec', '-i', 'mariadb', 'mariadb', 'LOGIN', 'mysql', '--quick'],
  ],
  [
    'the program bears its older name in such a container',
    ['docker', 'exec', '-i', 'mariadb', 'mysql'],
    ['docker', 'exec', '-i', 'mariadb', 'mysql', 'LOGIN', '--quick'],
  ],
  [
    'the options of another program end before it',
    ['kubectl', 'exec', '-i', 'mariadb-0', '--', 'mariadb', 'mysql'],
    ['kubectl', 'exec', '-i', 'mariadb-0', '--', 'mariadb', 'LOGIN', 'mysql', '--quick'],
  ],
  [
    'it stands behind an option without a value',
    ['sudo', '-n', 'mariadb'],
    ['sudo', '-n', 'mariadb', 'LOGIN', '--quick'],
  ],
  [
    'the account that runs it is called `mysql`',
    ['sudo', '-u', 'mysql', 'mariadb'],
    ['sudo', '-u', 'mysql', 'mariadb', 'LOGIN', '--quick'],
  ],
  [
    'the container in which it runs is called `mysql`',
    ['docker', 'exec', '-i', 'mysql', 'mysqlbinlog'],
    ['docker', 'exec', '-i', 'mysql', 'mysqlbinlog', 'LOGIN', '--quick'],
  ],
])('the login file is the first argument of the program: %s', (_, command, line) => {
  const login = '--defaults-extra-file=/l';
  expect(commandLine(command, [login, '--quick'])).toEqual(
    line.map((word) => (word === 'LOGIN' ? login : word)),
  );
});
