/** Looks for a server that is already there: at an explicit path, on the PATH, in the cache. */
import { join } from 'node:path';
import { describeError, ErrorCode, isStormlampError, StormlampError } from '../../common/stormlamp-error.js';
import { confiningProfile } from './app-armor.js';
import { packageFolderName } from './cache-folder.js';
import { cachedServer } from './cached-server.js';
import { type FoundServer, installedServer } from './installed-server.js';
import type { Machine } from './machine.js';
import { SERVER_VARIABLES } from './missing-server.js';
import { packageSetOf } from './package-sets.js';
import { givenProgram, programsOnPath } from './program-search.js';
import type { ServerName, ServerRelease } from './server-binaries.js';

/** Paths of programs that shall be used, by server. */
export interface ServerPaths {
  /** `mariadbd`. */
  readonly mariadb?: string | undefined;
  /** `mysqld`. */
  readonly mysql?: string | undefined;
  /** `memcached`. */
  readonly memcached?: string | undefined;
  /** `php`, with memcached among its extensions. */
  readonly php?: string | undefined;
  /** `pt-heartbeat`. */
  readonly 'pt-heartbeat'?: string | undefined;
  /** `haproxy`. */
  readonly haproxy?: string | undefined;
  /** `arping` of iputils. */
  readonly arping?: string | undefined;
}

/** What a search needs. */
export interface ServerSearchOptions {
  /** Where it searches. */
  readonly machine: Machine;
  /** Explicit paths. */
  readonly binaries: ServerPaths;
  /** The cache's root. */
  readonly root: string;
  /** Which release of it is wanted. */
  readonly release: ServerRelease;
  /** Stops the search. */
  readonly signal: AbortSignal | undefined;
}

/** What a search ended with. */
export interface ServerSearch {
  /** The server, when one was found. */
  readonly found?: FoundServer;
  /** Why programs of a fitting name were not taken. */
  readonly rejected: readonly string[];
}

const PROGRAM_NAMES: Readonly<Record<ServerName, readonly string[]>> = {
  mariadb: ['mariadbd', 'mysqld'],
  mysql: ['mysqld'],
  memcached: ['memcached'],
  php: ['php'],
  'pt-heartbeat': ['pt-heartbeat'],
  haproxy: ['haproxy'],
  arping: ['arping'],
};

/**
 * Looks for one server without installing anything.
 *
 * @throws StormlampError `ERR_SERVER_MISSING` for an explicit path that is wrong, `ERR_ABORTED`.
 */
export async function findServer(name: ServerName, options: ServerSearchOptions): Promise<ServerSearch> {
  const explicit = await findExplicit(name, options);
  if (explicit !== undefined) return { found: explicit, rejected: [] };
  const { machine, root, release, signal } = options;
  const rejected: string[] = [];
  for (const path of candidates(name, machine, release)) {
    const profile =
      machine.appArmorFolder === undefined ? undefined : confiningProfile(path, machine.appArmorFolder);
    if (profile !== undefined) {
      rejected.push(`${path} may only use the system's own data folder (${profile})`);
      continue;
    }
    try {
      return { found: await installedServer(name, path, 'path', signal), rejected };
    } catch (error) {
      if (!isStormlampError(error) || error.code === ErrorCode.ABORTED) throw error;
      rejected.push(error.message);
    }
  }
  const folder = cachedFolder(name, release, machine, root);
  const cached = folder === undefined ? undefined : await cachedServer(name, folder, signal);
  return cached === undefined ? { rejected } : { found: cached, rejected };
}

/** The folder of the cache that brings a server, whether it is there or not; `undefined` on a system without any. */
export function cachedFolder(
  name: ServerName,
  release: ServerRelease,
  machine: Machine,
  root: string,
): string | undefined {
  const { system, architecture } = machine;
  if (system.kind !== 'apt' || architecture === undefined) return undefined;
  const set = packageSetOf(system, name, release);
  if (set === undefined) return undefined;
  const suite = set.suite ?? system.suite;
  return join(root, packageFolderName({ distro: system.distro, suite, set: set.name, architecture }));
}

/** Whether this machine's packages have a newer release of a server than the system's own. */
export function hasNewest(name: ServerName, { system }: Machine): boolean {
  return system.kind === 'apt' && packageSetOf(system, name, 'newest')?.newest === true;
}

function candidates(name: ServerName, machine: Machine, release: ServerRelease): readonly string[] {
  // What is installed is the system's release.
  if (release === 'newest' && hasNewest(name, machine)) return [];
  return PROGRAM_NAMES[name].flatMap((program) =>
    programsOnPath(program, machine.env['PATH'], machine.systemFolders),
  );
}

async function findExplicit(
  name: ServerName,
  { machine, binaries, signal }: ServerSearchOptions,
): Promise<FoundServer | undefined> {
  const variable = SERVER_VARIABLES[name];
  const option = binaries[name];
  const given = option ?? machine.env[variable];
  // An empty variable is how a shell says that it is not set; an empty option is a mistake.
  if (given === undefined || (given === '' && option === undefined)) return undefined;
  const by = option === undefined ? variable : `binaries.${name}`;
  const path = givenProgram(given, machine.env['PATH'], machine.systemFolders);
  if (path === undefined) {
    throw new StormlampError(
      ErrorCode.SERVER_MISSING,
      `\`${by}\` names \`${given}\`, which is not an executable file; correct it, or leave it out to search for ${name}`,
    );
  }
  try {
    return await installedServer(name, path, option === undefined ? 'environment' : 'option', signal);
  } catch (error) {
    if (isStormlampError(error, ErrorCode.ABORTED)) throw error;
    throw new StormlampError(
      ErrorCode.SERVER_MISSING,
      `\`${by}\` cannot be used as ${name}: ${describeError(error)}`,
      { cause: error },
    );
  }
}
