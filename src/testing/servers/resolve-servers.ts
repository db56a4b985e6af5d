/** Finds the server programs that are asked for, and installs those that are missing into a private folder. */
import { invalidOption, readBoolean, readChoice, rejectUnknownOptions } from '../../common/option-reader.js';
import { cacheRoot } from './cache-folder.js';
import { cachedServer } from './cached-server.js';
import { distroSources } from './distro-sources.js';
import { installPackages } from './install-packages.js';
import type { InstallProgressListener } from './install-progress.js';
import type { FoundServer } from './installed-server.js';
import { type Machine, thisMachine } from './machine.js';
import { missingServers } from './missing-server.js';
import { packageSetOf, packageSets } from './package-sets.js';
import { programsOnPath } from './program-search.js';
import type { ServerBinaries, ServerName, ServerRelease, ServerReleases } from './server-binaries.js';
import { findServer, type ServerPaths } from './server-search.js';

/** How servers are looked for. */
export interface ResolveServersOptions {
  /** Programs to use instead of any other; a path that is wrong is an error. */
  readonly binaries?: ServerPaths | undefined;
  /** Which releases are wanted; an explicit path goes before. Default: the system's. */
  readonly versions?: ServerReleases | undefined;
  /** Whether what is missing is installed into the cache. Default true. */
  readonly install?: boolean | undefined;
  /** Gets the progress of an installation. */
  readonly onProgress?: InstallProgressListener | undefined;
  /** The cache's root. Default `STORMLAMP_CACHE`, else `stormlamp` in the user's cache folder. */
  readonly cacheDir?: string | undefined;
  /** Stops the search and the installation; nothing half is left. */
  readonly signal?: AbortSignal | undefined;
}

/** The names of all servers. */
export const SERVER_NAMES: readonly ServerName[] = Object.freeze([
  'mariadb',
  'mysql',
  'memcached',
  'php',
  'pt-heartbeat',
  'haproxy',
  'arping',
]);

/** The servers of which a newer release than the system's can be asked for. */
export const RELEASED_SERVERS: readonly (keyof ServerReleases)[] = Object.freeze(['mariadb', 'memcached']);

const OPTION_NAMES = ['binaries', 'versions', 'install', 'onProgress', 'cacheDir', 'signal'];

/**
 * The programs of the servers `names`. Each one is taken from the first of these places that has it: an explicit path
 * (`binaries`, then the environment: `STORMLAMP_MARIADBD`, `STORMLAMP_MYSQLD`, `STORMLAMP_MEMCACHED_BINARY`, `STORMLAMP_PHP`,
 * `STORMLAMP_PT_HEARTBEAT`, `STORMLAMP_HAPROXY`, `STORMLAMP_ARPING`), the PATH (unless a newer release is asked for), the cache. What is still missing is installed into the cache, where the system's packages allow it.
 *
 * @throws StormlampError `ERR_SERVER_MISSING` for an explicit path that is wrong and for a server that cannot be had,
 * with what to do; `ERR_TIMEOUT`, `ERR_ABORTED`, `ERR_INVALID_OPTION`.
 */
export function resolveServers(
  names: readonly ServerName[],
  options: ResolveServersOptions = {},
): Promise<ServerBinaries> {
  return resolveServersOn(thisMachine(), names, options);
}

/** {@link resolveServers} on a given machine. */
export async function resolveServersOn(
  machine: Machine,
  names: readonly ServerName[],
  options: ResolveServersOptions = {},
): Promise<ServerBinaries> {
  checkServerOptions(options);
  for (const name of names) {
    if (!SERVER_NAMES.includes(name)) {
      throw invalidOption('names', `a list of ${SERVER_NAMES.join(', ')}`, name);
    }
  }
  const { binaries = {}, signal } = options;
  const root = cacheRoot(options.cacheDir, machine.env);
  const wanted = [...new Set(names)];
  const searches = await Promise.all(
    wanted.map((name) => {
      const release = releaseOf(name, options);
      return findServer(name, { machine, binaries, root, release, signal });
    }),
  );
  const found = searches.flatMap((search) => search.found ?? []);
  const missing = wanted.filter((name) => !found.some((server) => server.name === name));
  if (missing.length > 0) {
    const rejected = searches.flatMap((search) => (search.found === undefined ? search.rejected : []));
    found.push(...(await installServers(machine, missing, root, options, rejected)));
  }
  return Object.fromEntries(found.map((server) => [server.name, server.binaries])) as ServerBinaries;
}

/**
 * Checks the options of a search.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option.
 */
export function checkServerOptions(options: ResolveServersOptions): void {
  rejectUnknownOptions('options', options, OPTION_NAMES);
  readPaths('options.binaries', options.binaries);
  readReleases('options.versions', options.versions);
  readBoolean('options.install', options.install, true);
}

/**
 * Checks paths of programs.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option.
 */
export function readPaths(path: string, paths: ServerPaths | undefined): ServerPaths | undefined {
  if (paths === undefined) return undefined;
  rejectUnknownOptions(path, paths, SERVER_NAMES);
  for (const name of SERVER_NAMES) {
    const given: unknown = paths[name];
    if (given !== undefined && typeof given !== 'string') {
      throw invalidOption(`${path}.${name}`, 'the path of a program', given);
    }
  }
  return paths;
}

/**
 * Checks which releases are wanted.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option.
 */
export function readReleases(path: string, releases: ServerReleases | undefined): ServerReleases {
  if (releases === undefined) return {};
  rejectUnknownOptions(path, releases, RELEASED_SERVERS);
  for (const name of RELEASED_SERVERS) {
    readChoice(`${path}.${name}`, releases[name], ['system', 'newest'], 'system');
  }
  return releases;
}

function releaseOf(name: ServerName, { versions }: ResolveServersOptions): ServerRelease {
  return name === 'mariadb' || name === 'memcached' ? (versions?.[name] ?? 'system') : 'system';
}

async function installServers(
  machine: Machine,
  names: readonly ServerName[],
  root: string,
  options: ResolveServersOptions,
  rejected: readonly string[],
): Promise<readonly FoundServer[]> {
  const { signal, onProgress = () => undefined, install = true } = options;
  const { system, architecture } = machine;
  const missing = (because: string): Error => missingServers(names, system, because, rejected);
  if (!install) throw missing('installing was not allowed');
  if (system.kind !== 'apt') throw missing(`${system.name} has no packages that can be unpacked privately`);
  if (architecture === undefined) {
    throw missing(`packages for ${process.arch} cannot be run from a folder`);
  }
  if (programsOnPath('apt-get', machine.env['PATH'], ['/usr/bin']).length === 0) {
    throw missing('there is no apt-get that could download packages');
  }
  const sources = machine.aptSources();
  const found: FoundServer[] = [];
  for (const set of packageSets(system)) {
    const wanted = names.filter(
      (name) => packageSetOf(system, name, releaseOf(name, options))?.name === set.name,
    );
    if (wanted.length === 0) continue;
    const own = distroSources(sources, { ...system, architecture }, set.suite);
    if (own.length === 0) throw missing(`no apt source of this machine is for ${system.suite}`);
    const target = { set, system, architecture, sources: own, root };
    const { folder } = await installPackages({ ...target, onProgress, signal });
    for (const name of wanted) {
      const server = await cachedServer(name, folder, signal);
      if (server === undefined) throw missing(`${folder} was installed but does not hold ${name}`);
      found.push(server);
    }
  }
  return found;
}
