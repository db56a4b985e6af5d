import { expect, test } from 'vitest';
import { missingServers } from '../../../../src/testing/servers/missing-server.js';
import type { OperatingSystem } from '../../../../src/testing/servers/operating-system.js';

const debian: OperatingSystem = {
  kind: 'apt',
  name: 'Debian 12',
  distro: 'debian',
  family: 'debian',
  suite: 'bookworm',
};
const other = (manager: 'dnf' | 'zypper' | 'pacman' | 'apk' | 'brew'): OperatingSystem => ({
  kind: 'other',
  name: manager,
  manager,
});

test.each([
  [other('dnf'), 'dnf install mariadb-server memcached php-cli php-pecl-memcached'],
  [other('zypper'), 'zypper install mariadb memcached'],
  [other('pacman'), 'pacman -S mariadb memcached'],
  [other('apk'), 'apk add mariadb memcached'],
  [other('brew'), 'brew install mariadb memcached php'],
  [debian, 'apt-get install mariadb-server memcached php-cli php-memcached'],
])('the error names the packages of %j', (system, command) => {
  const error = missingServers(['mariadb', 'memcached', 'php'], system, 'why');
  expect(error.code).toBe('ERR_SERVER_MISSING');
  expect(error.message).toContain(command);
  expect(error.message).toContain("driver: 'docker'");
  expect(error.message).toContain('STORMLAMP_MARIADBD, STORMLAMP_MEMCACHED_BINARY, STORMLAMP_PHP');
});

test('where the package manager has no MySQL, or there is none, Docker remains', () => {
  expect(missingServers(['mysql'], other('pacman'), 'why').message).not.toContain('pacman');
  const windows = missingServers(['mysql'], { kind: 'other', name: 'Windows' }, 'why').message;
  expect(windows).not.toMatch(/install the packages/i);
  expect(windows).toContain("driver: 'docker'");
});

test('the error tells why it was not installed and what was passed over', () => {
  const { message } = missingServers(['mysql'], debian, 'installing was not allowed', [
    '/usr/sbin/mysqld is MariaDB',
  ]);
  expect(message).toContain('installing was not allowed');
  expect(message).toContain('Passed over: /usr/sbin/mysqld is MariaDB.');
  expect(message).toContain(
    '. Run `npx stormlamp servers install`; or install the packages: `apt-get install mysql-server`; or name the programs with STORMLAMP_MYSQLD; or use Docker: ',
  );
});
