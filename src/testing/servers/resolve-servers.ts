/** Finds the server programs that are asked for, and installs those that are missing into a private folder. */
import { join } from 'node:path';
import { invalidOption, rejectUnknownOptions } from '../../common/option-reader.js';
import { describeError, ErrorCode, isStormlampError, StormlampError } from '../../common/stormlamp-error.js';
import { cacheRoot, packageFolderName } from './cache-folder.js';
import { cachedServer } from './cached-server.js';
import { distroSources, readAptSources } from './distro-sources.js';
import { installPackages } from './install-packages.js';
import type { InstallProgressListener } from './install-progress.js';
import { type FoundServer, installedServer } from './installed-server.js';
import { missingServers, SERVER_VARIABLES } from './missing-server.js';
import { readOperatingSystem } from './operating-system.js';
import { debianArchitecture } from './package-folder.js';
import { packageSets } from './package-sets.js';
import { givenProgram, programsOnPath } from './program-search.js';
import type { ServerBinaries, ServerName } from './server-binaries.js';

/** Paths of programs that shall be used, by server. */
export interface ServerPaths {
  /** `mariadbd`. */
  readonly mariadb?: string;
  /** `mysqld`. */
  readonly mysql?: string;
  /** `memcached`. */
  readonly memcached?: string;
  /** `php`, with memcached among its extensions. */
  readonly php?: string;
}

/** How servers are looked for. */
export interface ResolveServersOptions {
  /** Programs to use instead of any other; a path that is wrong is an error. */
  readonly binaries?: ServerPaths;
  /** Whether what is missing is installed into the cache. Default true. */
  readonly install?: boolean;
  /** Gets the progress of an installation. */
  readonly onProgress?: InstallProgressListener;
  /** The cache's root. Default `STORMLAMP_CACHE`, else `stormlamp` in the user's cache folder. */
  readonly cacheDir?: string;
  /** Stops the search and the installation; nothing half is left. */
  readonly signal?: AbortSignal;
}

/** What a search for one server ended with. */
export interface ServerSearch {
  /** The server, when one was found. */
  readonly found?: FoundServer;
  /** Programs that were looked at and why they were not taken. */
  readonly rejected: readonly string[];
}

/** The names of all servers. */
export const SERVER_NAMES: readonly ServerName[] = Object.freeze(['mariadb', 'mysql', 'memcached', 'php']);

const OPTION_NAMES = ['binaries', 'install', 'onProgress', 'cacheDir', 'signal'];
const PROGRAM_NAMES: Readonly<Record<ServerName, readonly string[]>> = {
  mariadb: ['mariadbd', 'mysqld'],
  mysql: ['mysqld'],
  memcached: ['memcached'],
  php: ['php'],
};

/**
 * The programs of the servers `names`. Each one is taken from the first of these places that has it: an explicit path
 * (`binaries`, then the environment: `STORMLAMP_MARIADBD`, `STORMLAMP_MYSQLD`, `STORMLAMP_MEMCACHED`, `STORMLAMP_PHP`),
 * the PATH, the cache. What is still missing is installed into the cache, where the system's packages allow it.
 *
 * @throws StormlampError `ERR_SERVER_MISSING` for an explicit path that is wrong and for a server that cannot be had,
 * with what to do; `ERR_TIMEOUT`, `ERR_ABORTED`, `ERR_INVALID_OPTION`.
 */
export async function resolveServers(
  names: readonly ServerName[],
  options: ResolveServersOptions = {},
): Promise<ServerBinaries> {
  rejectUnknownOptions('options', options, OPTION_NAMES);
  rejectUnknownOptions('options.binaries', options.binaries ?? {}, SERVER_NAMES);
  for (const name of names) {
    if (!SERVER_NAMES.includes(name))
      throw invalidOption('names', `a list of ${SERVER_NAMES.join(', ')}`, name);
  }
  const wanted = [...new Set(names)];
  const searches = await Promise.all(wanted.map((name) => findServer(name, options)));
  const found = searches.flatMap((search) => search.found ?? []);
  const missing = wanted.filter((name) => !found.some((server) => server.name === name));
  if (missing.length > 0) {
    const rejected = searches.flatMap((search) => search.rejected);
    found.push(...(await installServers(missing, options, rejected)));
  }
  return Object.fromEntries(found.map((server) => [server.name, server.binaries])) as ServerBinaries;
}

/**
 * Looks for one server without installing anything.
 *
 * @throws StormlampError `ERR_SERVER_MISSING` for an explicit path that is wrong.
 */
export async function findServer(
  name: ServerName,
  options: Pick<ResolveServersOptions, 'binaries' | 'cacheDir' | 'signal'>,
): Promise<ServerSearch> {
  const { signal } = options;
  const explicit = await findExplicit(name, options.binaries?.[name], signal);
  if (explicit !== undefined) return { found: explicit, rejected: [] };
  const rejected: string[] = [];
  for (const path of PROGRAM_NAMES[name].flatMap((program) => programsOnPath(program))) {
    try {
      return { found: await installedServer(name, path, 'path', signal), rejected };
    } catch (error) {
      if (!isStormlampError(error) || error.code === ErrorCode.ABORTED) throw error;
      rejected.push(error.message);
    }
  }
  const cached = await findCached(name, cacheRoot(options.cacheDir), signal);
  return cached === undefined ? { rejected } : { found: cached, rejected };
}

async function findExplicit(
  name: ServerName,
  option: string | undefined,
  signal: AbortSignal | undefined,
): Promise<FoundServer | undefined> {
  const variable = SERVER_VARIABLES[name];
  const given = option ?? process.env[variable];
  if (given === undefined || given === '') return undefined;
  const by = option === undefined ? variable : `binaries.${name}`;
  const path = givenProgram(given);
  if (path === undefined) {
    throw new StormlampError(
      ErrorCode.SERVER_MISSING,
      `\`${by}\` names ${given}, which is not an executable file; correct it, or leave it out to search for ${name}`,
    );
  }
  try {
    return await installedServer(name, path, option === undefined ? 'environment' : 'option', signal);
  } catch (error) {
    if (isStormlampError(error, ErrorCode.ABORTED)) throw error;
    throw new StormlampError(
      ErrorCode.SERVER_MISSING,
      `\`${by}\` names ${given}, which cannot be used as ${name}: ${describeError(error)}`,
      { cause: error },
    );
  }
}

async function findCached(
  name: ServerName,
  root: string,
  signal: AbortSignal | undefined,
): Promise<FoundServer | undefined> {
  const system = readOperatingSystem();
  const architecture = debianArchitecture();
  if (system.kind !== 'apt' || architecture === undefined) return undefined;
  const set = packageSets(system).find((each) => each.servers.includes(name));
  if (set === undefined) return undefined;
  const suite = set.suite ?? system.suite;
  const folder = packageFolderName({ distro: system.distro, suite, set: set.name, architecture });
  return await cachedServer(name, join(root, folder), signal);
}

async function installServers(
  names: readonly ServerName[],
  options: ResolveServersOptions,
  rejected: readonly string[],
): Promise<readonly FoundServer[]> {
  const { signal, onProgress = () => undefined, install = true } = options;
  const system = readOperatingSystem();
  if (!install) throw missingServers(names, system, 'installing was not allowed', rejected);
  const architecture = debianArchitecture();
  if (system.kind !== 'apt' || architecture === undefined || programsOnPath('apt-get').length === 0) {
    throw missingServers(
      names,
      system,
      `${system.name} has no packages that can be unpacked privately`,
      rejected,
    );
  }
  const root = cacheRoot(options.cacheDir);
  const machine = readAptSources();
  const found: FoundServer[] = [];
  for (const set of packageSets(system).filter((each) => each.servers.some((name) => names.includes(name)))) {
    const sources = distroSources(machine, system, set.suite);
    if (sources.length === 0) {
      throw missingServers(names, system, `this machine's apt sources do not name ${system.suite}`, rejected);
    }
    const { folder } = await installPackages({
      set,
      system,
      architecture,
      sources,
      root,
      onProgress,
      signal,
    });
    for (const name of names.filter((each) => set.servers.includes(each))) {
      const server = await cachedServer(name, folder, signal);
      if (server === undefined) throw missingServers([name], system, `${folder} does not hold it`, rejected);
      found.push(server);
    }
  }
  return found;
}
