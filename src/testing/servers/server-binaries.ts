/** Where the server programs of a local cluster are, whoever brought them. */

/** How a program is started. */
export interface ServerProgram {
  /** The file to execute: the program itself, or the loader of an unpacked package folder. */
  readonly command: string;
  /** Arguments that come before the program's own (loader options and the program's path). */
  readonly prefixArgs: readonly string[];
  /** Variables to add to the environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The version that the program told of itself, like `10.11.14`. */
  readonly version: string;
  /** Who brought it. */
  readonly origin: 'option' | 'environment' | 'path' | 'cache';
}

/** A MariaDB server and the files it needs. */
export interface MariadbBinaries {
  /** `mariadbd`. */
  readonly server: ServerProgram;
  /** `--basedir`. */
  readonly baseDir: string;
  /** `--lc-messages-dir`, also where the bootstrap SQL is. */
  readonly shareDir: string;
  /** `--plugin-dir`. */
  readonly pluginDir: string;
  /** `wsrep_provider` of Galera, when the library is there. */
  readonly galeraProvider?: string;
}

/** A MySQL server and the files it needs. */
export interface MysqlBinaries {
  /** `mysqld`. */
  readonly server: ServerProgram;
  /** `--basedir`. */
  readonly baseDir: string;
  /** `--lc-messages-dir`. */
  readonly shareDir: string;
  /** `--plugin-dir`. */
  readonly pluginDir: string;
}

/** A PHP command line program with the extensions that sessions need. */
export interface PhpBinaries {
  /** `php`. */
  readonly cli: ServerProgram;
  /** Arguments that load memcached, memcache, igbinary, msgpack, mysqli and session as far as they are not built in. */
  readonly extensionArgs: readonly string[];
}

/** The servers that can be asked for. */
export interface ServerBinaries {
  /** MariaDB, when asked for. */
  readonly mariadb?: MariadbBinaries;
  /** MySQL, when asked for. */
  readonly mysql?: MysqlBinaries;
  /** memcached, when asked for. */
  readonly memcached?: ServerProgram;
  /** PHP, when asked for. */
  readonly php?: PhpBinaries;
  /** Percona's `pt-heartbeat`, when asked for: no server, but a program that works beside one. */
  readonly 'pt-heartbeat'?: ServerProgram;
  /** HAProxy, when asked for. */
  readonly haproxy?: ServerProgram;
  /** `arping` of iputils, when asked for: no server, but what virtual addresses are told about with. */
  readonly arping?: ServerProgram;
}

/** Names of servers that `resolveServers` can be asked for. */
export type ServerName = keyof ServerBinaries;

/** `'system'`: the release that the operating system has; `'newest'`: the newest that its distribution has anywhere. */
export type ServerRelease = 'system' | 'newest';

/**
 * Which release of a server is taken, where there is a choice. MySQL and pt-heartbeat are always the newest that can
 * be had, PHP always the system's.
 */
export interface ServerReleases {
  /** Default `'system'`. */
  readonly mariadb?: ServerRelease;
  /** Default `'system'`. */
  readonly memcached?: ServerRelease;
}
