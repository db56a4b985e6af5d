/** The error of a server that could not be had, with what to do on this very system. */
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { OperatingSystem, PackageManager } from './operating-system.js';
import type { ServerName } from './server-binaries.js';

/** What each package manager calls the servers; a missing entry means that it has no such package. */
const PACKAGES: Readonly<Record<PackageManager, Readonly<Partial<Record<ServerName, string>>>>> = {
  apt: {
    mariadb: 'mariadb-server',
    mysql: 'mysql-server',
    memcached: 'memcached',
    php: 'php-cli php-memcached php-memcache php-igbinary php-msgpack php-mysql',
    'pt-heartbeat': 'percona-toolkit',
    haproxy: 'haproxy',
    arping: 'iputils-arping',
  },
  dnf: {
    mariadb: 'mariadb-server',
    mysql: 'mysql-server',
    memcached: 'memcached',
    php: 'php-cli php-pecl-memcached php-pecl-memcache php-pecl-igbinary php-pecl-msgpack php-mysqlnd',
    haproxy: 'haproxy',
    arping: 'iputils',
  },
  zypper: {
    mariadb: 'mariadb',
    memcached: 'memcached',
    php: 'php8-cli php8-memcached php8-mysql',
    haproxy: 'haproxy',
  },
  pacman: {
    mariadb: 'mariadb',
    memcached: 'memcached',
    php: 'php php-memcached php-memcache php-igbinary',
    haproxy: 'haproxy',
  },
  apk: {
    mariadb: 'mariadb',
    memcached: 'memcached',
    php: 'php84 php84-session php84-pecl-memcached php84-pecl-memcache php84-mysqli',
    haproxy: 'haproxy',
  },
  brew: {
    mariadb: 'mariadb',
    mysql: 'mysql',
    memcached: 'memcached',
    php: 'php',
    'pt-heartbeat': 'percona-toolkit',
    haproxy: 'haproxy',
  },
};

const COMMANDS: Readonly<Record<PackageManager, string>> = {
  apt: 'apt-get install',
  dnf: 'dnf install',
  zypper: 'zypper install',
  pacman: 'pacman -S',
  apk: 'apk add',
  brew: 'brew install',
};

/** The environment variable that names each server's program. */
export const SERVER_VARIABLES: Readonly<Record<ServerName, string>> = Object.freeze({
  mariadb: 'STORMLAMP_MARIADBD',
  mysql: 'STORMLAMP_MYSQLD',
  memcached: 'STORMLAMP_MEMCACHED_BINARY',
  php: 'STORMLAMP_PHP',
  'pt-heartbeat': 'STORMLAMP_PT_HEARTBEAT',
  haproxy: 'STORMLAMP_HAPROXY',
  arping: 'STORMLAMP_ARPING',
});

/** `ERR_SERVER_MISSING` for servers that were found nowhere; `because` says why they were not installed. */
export function missingServers(
  names: readonly ServerName[],
  system: OperatingSystem,
  because: string,
  rejected: readonly string[] = [],
): StormlampError {
  const passed = rejected.length === 0 ? '' : ` Passed over: ${rejected.join('; ')}.`;
  return new StormlampError(
    ErrorCode.SERVER_MISSING,
    `No usable ${names.join(', ')} was found on the PATH or in the cache, and ${because}.${passed} ` +
      `${capitalized(remedies(names, system).join('; or '))}.`,
  );
}

function capitalized(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

function remedies(names: readonly ServerName[], system: OperatingSystem): readonly string[] {
  const manager = system.kind === 'apt' ? 'apt' : system.manager;
  const packages = manager === undefined ? [] : names.flatMap((name) => PACKAGES[manager][name] ?? []);
  const extension = manager === 'brew' && names.includes('php') ? ' and `pecl install memcached`' : '';
  return [
    ...(system.kind === 'apt' ? ['run `npx stormlamp servers install`'] : []),
    ...(manager === undefined || packages.length === 0
      ? []
      : [`install the packages: \`${COMMANDS[manager]} ${packages.join(' ')}\`${extension}`]),
    `name the programs with ${names.map((name) => SERVER_VARIABLES[name]).join(', ')}`,
    "use Docker: `driver: 'docker'`, or STORMLAMP_DRIVER=docker in the environment",
  ];
}
