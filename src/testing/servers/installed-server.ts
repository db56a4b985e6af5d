/** Makes a server description of one program that is installed on the system. */
import { realpathSync } from 'node:fs';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { databaseServer } from './database-server.js';
import { findExtensionArgs } from './php-extensions.js';
import { askVersion } from './program-version.js';
import type {
  MariadbBinaries,
  MysqlBinaries,
  PhpBinaries,
  ServerName,
  ServerProgram,
} from './server-binaries.js';

/** One server of any kind, with its kind. */
export type FoundServer =
  | { readonly name: 'mariadb'; readonly binaries: MariadbBinaries }
  | { readonly name: 'mysql'; readonly binaries: MysqlBinaries }
  | { readonly name: 'memcached' | 'pt-heartbeat' | 'haproxy' | 'arping'; readonly binaries: ServerProgram }
  | { readonly name: 'php'; readonly binaries: PhpBinaries };

/** The program of a found server. */
export function programOf(found: FoundServer): ServerProgram {
  switch (found.name) {
    case 'mariadb':
    case 'mysql':
      return found.binaries.server;
    case 'memcached':
    case 'pt-heartbeat':
    case 'haproxy':
    case 'arping':
      return found.binaries;
    case 'php':
      return found.binaries.cli;
  }
}

/**
 * Runs the program at `path` and describes the server that it is.
 *
 * @throws StormlampError `ERR_SERVER_MISSING` when it is not a usable server of that name, `ERR_ABORTED`.
 */
export async function installedServer(
  name: ServerName,
  path: string,
  origin: ServerProgram['origin'],
  signal?: AbortSignal,
): Promise<FoundServer> {
  const command = { command: path, prefixArgs: [] };
  const version = await askVersion(name, command, signal);
  const program: ServerProgram = { ...command, env: {}, version, origin };
  switch (name) {
    case 'memcached':
    case 'pt-heartbeat':
    case 'haproxy':
    case 'arping':
      return { name, binaries: program };
    case 'php':
      return {
        name,
        binaries: { cli: program, extensionArgs: await findExtensionArgs(command, [], signal) },
      };
    case 'mariadb':
    case 'mysql': {
      const server = databaseServer(name, program, realpathSync(path));
      if (server !== undefined) return server;
      throw new StormlampError(
        ErrorCode.SERVER_MISSING,
        `${path} runs, but its error messages (share/…/english/errmsg.sys) were not found near it`,
      );
    }
  }
}
