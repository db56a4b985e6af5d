/** Options of {@link startLocalCluster}. */
import {
  invalidOption,
  readBoolean,
  readChoice,
  readNumber,
  readString,
  readStrings,
  rejectUnknownOptions,
} from '../common/option-reader.js';
import { safeListener } from '../common/safe-listener.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { LocalProgressListener } from './local-progress.js';
import { readPaths, readReleases } from './servers/resolve-servers.js';
import type { ServerReleases } from './servers/server-binaries.js';
import type { ServerPaths } from './servers/server-search.js';

/** More arguments for the servers, after the cluster's own. */
export interface LocalServerArgs {
  /** For every MariaDB or MySQL server, like `--innodb-lock-wait-timeout=2`. */
  readonly mysql?: readonly string[];
  /** For every memcached server, like `-I 2m` as `['-I', '2m']`. */
  readonly memcached?: readonly string[];
}

/** Images that containers are made from. */
export interface LocalImages {
  /** Default `mariadb:11.8`. */
  readonly mariadb?: string;
  /** Default `mysql:9`. */
  readonly mysql?: string;
  /** Default `memcached:1.6`. */
  readonly memcached?: string;
  /** An image whose PHP has the memcached extension. Default: one is built from Debian 12's packages. */
  readonly php?: string;
}

/** What the servers of a local cluster are. */
export type LocalDriver = 'native' | 'docker' | 'auto';

/** All of them. */
export const LOCAL_DRIVERS: readonly LocalDriver[] = Object.freeze(['native', 'docker', 'auto']);

/** What a local cluster is made of; everything has a default. */
export interface LocalClusterOptions {
  /** The kind of database. Default `'mariadb'`. */
  readonly flavor?: 'mariadb' | 'mysql';
  /** How many replicas the primary has. Default 2. */
  readonly replicas?: number;
  /** How many memcached nodes there are. Default 2. */
  readonly memcached?: number;
  /** Whether PHP is there. Default true. */
  readonly php?: boolean;
  /** Whether the databases are there. Default true. */
  readonly databases?: boolean;
  /** Whether Percona's `pt-heartbeat` can be started beside the databases. Default false. */
  readonly ptHeartbeat?: boolean;
  /**
   * Which releases of the servers are taken, with `driver: 'native'`. Default: those of the system's own release.
   * A path in `binaries` or the environment goes before.
   */
  readonly versions?: ServerReleases;
  /**
   * `'native'`: processes of this machine; `'docker'`: containers, through testcontainers; `'auto'`: processes, or
   * containers where the servers can neither be found nor installed and an engine answers. Default: what the variable
   * `STORMLAMP_DRIVER` says, else `'native'`.
   */
  readonly driver?: LocalDriver;
  /** Programs to use instead of those that would be found or installed. */
  readonly binaries?: ServerPaths;
  /** Images for `driver: 'docker'`. */
  readonly images?: LocalImages;
  /** More arguments for the servers. */
  readonly serverArgs?: LocalServerArgs;
  /** The name of the application's database. Default `'shop'`. */
  readonly database?: string;
  /** The application's user. Default `'app'`. */
  readonly user?: string;
  /** The application's password. Default: made by chance. */
  readonly password?: string;
  /** Leaves the folder with data and logs behind on close, for looking at. Default false. */
  readonly keepFolder?: boolean;
  /** Told what is being done. */
  readonly onProgress?: LocalProgressListener;
  /** Stops the start; nothing is left then. */
  readonly signal?: AbortSignal;
}

/** {@link LocalClusterOptions} with everything filled in. */
export interface ResolvedLocalClusterOptions {
  readonly flavor: 'mariadb' | 'mysql';
  readonly replicas: number;
  readonly memcached: number;
  readonly php: boolean;
  readonly databases: boolean;
  readonly ptHeartbeat: boolean;
  readonly versions: ServerReleases;
  readonly driver: LocalDriver;
  readonly binaries: ServerPaths | undefined;
  readonly images: LocalImages;
  readonly serverArgs: Required<LocalServerArgs>;
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly keepFolder: boolean;
  readonly onProgress: LocalProgressListener;
  readonly signal: AbortSignal | undefined;
}

/** What a local cluster is made of when nothing is said. */
export const LOCAL_CLUSTER_DEFAULTS: Readonly<{
  flavor: 'mariadb';
  replicas: 2;
  memcached: 2;
  php: true;
  databases: true;
  ptHeartbeat: false;
  driver: 'native';
  database: 'shop';
  user: 'app';
  keepFolder: false;
  images: Readonly<Record<'mariadb' | 'mysql' | 'memcached', string>>;
}> = Object.freeze({
  flavor: 'mariadb',
  replicas: 2,
  memcached: 2,
  php: true,
  databases: true,
  ptHeartbeat: false,
  driver: 'native',
  database: 'shop',
  user: 'app',
  keepFolder: false,
  images: Object.freeze({
    mariadb: 'mariadb:11.8',
    mysql: 'mysql:9',
    memcached: 'memcached:1.6',
  }),
});

const NAMES: readonly (keyof LocalClusterOptions)[] = [
  'flavor',
  'replicas',
  'memcached',
  'php',
  'databases',
  'ptHeartbeat',
  'versions',
  'driver',
  'binaries',
  'images',
  'serverArgs',
  'database',
  'user',
  'password',
  'keepFolder',
  'onProgress',
  'signal',
];
const IMAGES = ['mariadb', 'mysql', 'memcached', 'php'] as const;
const RESERVED_DATABASES = ['information_schema', 'mysql', 'performance_schema', 'sys'];
const RESERVED_USERS = ['admin', 'monitor', 'repl', 'root'];

/**
 * Checks `options` and fills in what is left out.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option.
 */
export function readLocalClusterOptions(
  options: LocalClusterOptions,
  env: Environment = process.env,
): ResolvedLocalClusterOptions {
  const defaults = LOCAL_CLUSTER_DEFAULTS;
  rejectUnknownOptions('options', options, NAMES);
  const { serverArgs = {}, images = {} } = options;
  rejectUnknownOptions('options.serverArgs', serverArgs, ['mysql', 'memcached']);
  rejectUnknownOptions('options.images', images, IMAGES);
  const driver = readChoice('options.driver', options.driver, LOCAL_DRIVERS, driverOf(env, defaults.driver));
  refuseForDocker(driver, options);
  return {
    flavor: readChoice('options.flavor', options.flavor, ['mariadb', 'mysql'], defaults.flavor),
    replicas: readNumber('options.replicas', options.replicas, defaults.replicas, {
      integer: true,
      min: 0,
      max: 9,
    }),
    memcached: readNumber('options.memcached', options.memcached, defaults.memcached, {
      integer: true,
      min: 0,
      max: 16,
    }),
    php: readBoolean('options.php', options.php, defaults.php),
    databases: readBoolean('options.databases', options.databases, defaults.databases),
    ptHeartbeat: readBoolean('options.ptHeartbeat', options.ptHeartbeat, defaults.ptHeartbeat),
    versions: readReleases('options.versions', options.versions),
    driver,
    binaries: readPaths('options.binaries', options.binaries),
    images: {
      mariadb: readString('options.images.mariadb', images.mariadb, defaults.images.mariadb),
      mysql: readString('options.images.mysql', images.mysql, defaults.images.mysql),
      memcached: readString('options.images.memcached', images.memcached, defaults.images.memcached),
      ...(images.php === undefined ? {} : { php: readString('options.images.php', images.php, '') }),
    },
    serverArgs: {
      mysql: readStrings('options.serverArgs.mysql', serverArgs.mysql, []),
      memcached: readStrings('options.serverArgs.memcached', serverArgs.memcached, []),
    },
    database: readDatabase(options.database),
    user: readUser(options.user),
    password: readPassword(options.password),
    keepFolder: readBoolean('options.keepFolder', options.keepFolder, defaults.keepFolder),
    onProgress: readListener(options.onProgress),
    signal: readSignal(options.signal),
  };
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What the variable `STORMLAMP_DRIVER` says; `fallback` when it is empty or not set.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the variable.
 */
export function driverOf(env: Environment, fallback: LocalDriver): LocalDriver {
  const given = env['STORMLAMP_DRIVER'];
  return readChoice('STORMLAMP_DRIVER', given === '' ? undefined : given, LOCAL_DRIVERS, fallback);
}

function refuseForDocker(driver: LocalDriver, options: LocalClusterOptions): void {
  if (driver !== 'docker') return;
  if (options.versions !== undefined) {
    throw invalidOption(
      'options.versions',
      "left out with `driver: 'docker'`; name `images`",
      options.versions,
    );
  }
  if (options.ptHeartbeat === true) {
    throw invalidOption('options.ptHeartbeat', "false with `driver: 'docker'`", true);
  }
}

function readDatabase(value: unknown): string {
  const name = readString('options.database', value, LOCAL_CLUSTER_DEFAULTS.database);
  if (/^[A-Za-z0-9_]{1,64}$/.test(name) && !RESERVED_DATABASES.includes(name.toLowerCase())) return name;
  throw invalidOption(
    'options.database',
    `at most 64 letters, digits and underscores, and none of the servers' own (${RESERVED_DATABASES.join(', ')})`,
    name,
  );
}

function readUser(value: unknown): string {
  const name = readString('options.user', value, LOCAL_CLUSTER_DEFAULTS.user);
  if (/^[A-Za-z0-9_.-]{1,32}$/.test(name) && !RESERVED_USERS.includes(name)) return name;
  throw invalidOption(
    'options.user',
    `1 to 32 letters and digits, none of ${RESERVED_USERS.join(', ')}`,
    name,
  );
}

function readPassword(value: unknown): string | undefined {
  if (value === undefined || (typeof value === 'string' && /^[^\\\n\r\0]+$/.test(value))) return value;
  // Without the value: it may be a secret.
  throw new StormlampError(
    ErrorCode.INVALID_OPTION,
    'Expected `options.password` to be a non-empty string without backslashes and line ends',
  );
}

function readListener(value: unknown): LocalProgressListener {
  if (value === undefined) return () => undefined;
  if (typeof value === 'function') {
    return safeListener('The listener `options.onProgress`', value as LocalProgressListener);
  }
  throw invalidOption('options.onProgress', 'a function', value);
}

function readSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined || value instanceof AbortSignal) return value;
  throw invalidOption('options.signal', 'an AbortSignal', value);
}
