/** Which packages bring which servers, and which of them are unpacked together. */
import type { AptSystem } from './operating-system.js';
import type { ServerName, ServerRelease } from './server-binaries.js';

/** Packages that are installed into one folder. */
export interface PackageSet {
  /** A word for the folder's name. */
  readonly name: string;
  /** The packages asked for; their libraries come along. */
  readonly packages: readonly string[];
  /**
   * The beginning of the names of a package that carries its version in its name on some releases;
   * the newest that the indexes know is taken.
   */
  readonly newestOf?: string;
  /** The suite to take instead of the system's own. */
  readonly suite?: string;
  /** What it brings is newer than what another set brings under the same name. */
  readonly newest?: true;
  /** Packages that are wanted by those above and not needed to run them: they and what they need is left out. */
  readonly without?: readonly string[];
  /** The servers it brings. */
  readonly servers: readonly ServerName[];
}

const LAMP: PackageSet = {
  name: 'lamp',
  packages: [
    'mariadb-server',
    'memcached',
    'php-cli',
    'php-memcached',
    'php-memcache',
    'php-igbinary',
    'php-msgpack',
    'php-mysql',
  ],
  servers: ['mariadb', 'memcached', 'php'],
};

const ARPING: PackageSet = {
  name: 'arping',
  packages: ['iputils-arping'],
  servers: ['arping'],
};

const HAPROXY: PackageSet = {
  name: 'haproxy',
  packages: ['haproxy'],
  without: ['adduser', 'init-system-helpers', 'lsb-base', 'sysvinit-utils'],
  servers: ['haproxy'],
};

/** Debian's unstable suite, whose packages bring their own C library with them. */
const SID = { suite: 'sid' } as const;

/** Debian releases keep what they were published with; unstable has the newest. */
const NEWEST: readonly PackageSet[] = [
  {
    name: 'mariadb',
    packages: ['mariadb-server-core', 'galera-4'],
    servers: ['mariadb'],
    newest: true,
    ...SID,
  },
  {
    name: 'memcached',
    packages: ['memcached'],
    without: ['perl', 'adduser', 'systemd'],
    servers: ['memcached'],
    newest: true,
    ...SID,
  },
];

/**
 * The sets of a system: MariaDB, memcached, PHP and HAProxy of its own release, the newest MySQL and pt-heartbeat that it can
 * run, and newer releases of its own servers where its distribution has some.
 */
export function packageSets(system: Pick<AptSystem, 'family'>): readonly PackageSet[] {
  const isDebian = system.family === 'debian';
  const mysql: PackageSet = {
    name: 'mysql',
    packages: [],
    newestOf: 'mysql-server-core',
    servers: ['mysql'],
    // Debian's stable releases have no MySQL.
    ...(isDebian ? SID : {}),
  };
  const percona: PackageSet = {
    name: 'percona',
    packages: ['percona-toolkit'],
    without: ['gdb', 'fdisk', 'procps'],
    servers: ['pt-heartbeat'],
    // Debian 12's does not know the words of MySQL 8.4 and newer.
    ...(isDebian ? SID : {}),
  };
  return [LAMP, mysql, percona, HAPROXY, ARPING, ...(isDebian ? NEWEST : [])];
}

/** The set that brings `server` in that release, or in the only one that there is. */
export function packageSetOf(
  system: Pick<AptSystem, 'family'>,
  server: ServerName,
  release: ServerRelease,
): PackageSet | undefined {
  const sets = packageSets(system).filter((set) => set.servers.includes(server));
  return sets.find((set) => (set.newest === true) === (release === 'newest')) ?? sets[0];
}

/** The newest of package names like `mysql-server-core-8.0`, `mysql-server-core-9.7` or plain `mysql-server-core`. */
export function newestPackage(names: readonly string[], prefix: string): string | undefined {
  const versionOf = (name: string): number[] | undefined => {
    const rest = name.slice(prefix.length);
    if (!name.startsWith(prefix) || !/^(?:-\d+(?:\.\d+)*)?$/.test(rest)) return undefined;
    return rest
      .split(/[-.]/)
      .filter((part) => part !== '')
      .map(Number);
  };
  return names
    .filter((name) => versionOf(name) !== undefined)
    .sort((a, b) => compareVersions(versionOf(a) ?? [], versionOf(b) ?? []))
    .at(-1);
}

function compareVersions(a: readonly number[], b: readonly number[]): number {
  // The name without a version is the distribution's own choice of the newest.
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
