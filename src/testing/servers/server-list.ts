/** Tells which servers are there, without installing any: what `stormlamp servers list` prints. */
import { describeError, ErrorCode, isStormlampError } from '../../common/stormlamp-error.js';
import { cacheRoot } from './cache-folder.js';
import { programOf } from './installed-server.js';
import { type Machine, thisMachine } from './machine.js';
import {
  checkServerOptions,
  RELEASED_SERVERS,
  type ResolveServersOptions,
  SERVER_NAMES,
} from './resolve-servers.js';
import type { ServerName, ServerProgram, ServerRelease } from './server-binaries.js';
import { cachedFolder, findServer, hasNewest } from './server-search.js';

/** How {@link listServers} searches. */
export type ListServersOptions = Pick<ResolveServersOptions, 'binaries' | 'cacheDir' | 'signal'>;

/** A server that is there. */
interface PresentServer {
  /** Tells it from {@link AbsentServer}. */
  readonly found: true;
  /** The server. */
  readonly name: ServerName;
  /** Which release of it. */
  readonly release: ServerRelease;
  /** What it told of itself. */
  readonly version: string;
  /** Who brought it. */
  readonly origin: ServerProgram['origin'];
  /** The program's own file. */
  readonly path: string;
}

/** A server that is not there, or not usable. */
interface AbsentServer {
  /** Tells it from {@link PresentServer}. */
  readonly found: false;
  /** The server. */
  readonly name: ServerName;
  /** Which release of it. */
  readonly release: ServerRelease;
  /** Why the programs that were looked at were not taken; empty when there was none. */
  readonly rejected: readonly string[];
  /** Whether an option or a variable names a program that cannot be taken: an installation would not be looked for then. */
  readonly isMisnamed: boolean;
  /** The folder that an installation would make; `undefined` when this system cannot install it. */
  readonly wouldInstallInto?: string;
}

/** One line of a {@link ServerList}. */
type ListedServer = PresentServer | AbsentServer;

/** What is there. */
export interface ServerList {
  /** The cache's root, whether it exists or not. */
  readonly cacheDir: string;
  /** Every server that the package knows, and newer releases of those that have some on this machine. */
  readonly servers: readonly ListedServer[];
}

/**
 * Looks for every server in the places that `resolveServers` takes it from.
 * An explicit path that is wrong is told in `rejected`.
 *
 * @throws StormlampError `ERR_ABORTED`, `ERR_INVALID_OPTION`.
 */
export function listServers(options: ListServersOptions = {}): Promise<ServerList> {
  return listServersOn(thisMachine(), options);
}

/** {@link listServers} on a given machine. */
export async function listServersOn(machine: Machine, options: ListServersOptions = {}): Promise<ServerList> {
  checkServerOptions(options);
  const root = cacheRoot(options.cacheDir, machine.env);
  const servers = await Promise.all([
    ...SERVER_NAMES.map((name) => listOne(name, 'system', machine, root, options)),
    ...RELEASED_SERVERS.filter((name) => hasNewest(name, machine)).map((name) =>
      listOne(name, 'newest', machine, root, options),
    ),
  ]);
  return { cacheDir: root, servers };
}

async function listOne(
  name: ServerName,
  release: ServerRelease,
  machine: Machine,
  root: string,
  { binaries = {}, signal }: ListServersOptions,
): Promise<ListedServer> {
  const folder = cachedFolder(name, release, machine, root);
  const absent = (rejected: readonly string[], isMisnamed: boolean): AbsentServer => ({
    found: false,
    name,
    release,
    rejected,
    isMisnamed,
    ...(folder === undefined ? {} : { wouldInstallInto: folder }),
  });
  try {
    const { found, rejected } = await findServer(name, { machine, binaries, root, release, signal });
    if (found === undefined) return absent(rejected, false);
    const { command, prefixArgs, version, origin } = programOf(found);
    return { found: true, name, release, version, origin, path: prefixArgs.at(-1) ?? command };
  } catch (error) {
    if (isStormlampError(error, ErrorCode.ABORTED)) throw error;
    return absent([describeError(error)], isStormlampError(error, ErrorCode.SERVER_MISSING));
  }
}
