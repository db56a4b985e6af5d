/** Which packages bring which servers, and which of them are unpacked together. */
import type { AptSystem } from './operating-system.js';
import type { ServerName } from './server-binaries.js';

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

/** The sets of a system: MariaDB, memcached and PHP of its own release, and the newest MySQL that it can run. */
export function packageSets(system: Pick<AptSystem, 'family'>): readonly PackageSet[] {
  const mysql: PackageSet = {
    name: 'mysql',
    packages: [],
    newestOf: 'mysql-server-core',
    servers: ['mysql'],
    // Debian's stable releases have no MySQL; unstable has, and brings its own C library with it.
    ...(system.family === 'debian' ? { suite: 'sid' } : {}),
  };
  return [LAMP, mysql];
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
