/** Makes server descriptions of the programs in an unpacked package folder. */
import { join } from 'node:path';
import { databaseServer } from './database-server.js';
import type { FoundServer } from './installed-server.js';
import { type FolderProgram, folderProgram, isFile, newestName } from './package-folder.js';
import {
  isUnchanged,
  type PackageManifest,
  readManifest,
  type VerifiedProgram,
  verifiedProgram,
  writeManifest,
} from './package-manifest.js';
import { perlEnvironment, perlScript } from './perl-script.js';
import { extensionArgs, findExtensionArgs } from './php-extensions.js';
import { withTimeZones } from './php-time-zones.js';
import { askVersion } from './program-version.js';
import type { ServerName, ServerProgram } from './server-binaries.js';

/** Where the packages put each server's program. */
export function findFolderProgram(folder: string, server: ServerName): string | undefined {
  switch (server) {
    case 'mariadb':
      return ['usr/sbin/mariadbd', 'usr/sbin/mysqld'].find((path) => isFile(join(folder, path)));
    case 'mysql':
      return isFile(join(folder, 'usr/sbin/mysqld')) ? 'usr/sbin/mysqld' : undefined;
    case 'memcached':
      return isFile(join(folder, 'usr/bin/memcached')) ? 'usr/bin/memcached' : undefined;
    case 'php':
      return newestName(folder, 'usr/bin', /^php\d+\.\d+$/);
    case 'pt-heartbeat':
      return isFile(join(folder, 'usr/bin/pt-heartbeat')) ? 'usr/bin/pt-heartbeat' : undefined;
    case 'arping':
      return isFile(join(folder, 'usr/bin/arping')) ? 'usr/bin/arping' : undefined;
    case 'haproxy':
      return isFile(join(folder, 'usr/sbin/haproxy')) ? 'usr/sbin/haproxy' : undefined;
  }
}

/**
 * Runs a program of a folder and makes its manifest entry.
 *
 * @throws StormlampError `ERR_SERVER_MISSING` when it does not run, `ERR_ABORTED`.
 */
export async function verifyFolderProgram(
  folder: string,
  architecture: string,
  server: ServerName,
  signal?: AbortSignal,
): Promise<VerifiedProgram | undefined> {
  const path = findFolderProgram(folder, server);
  const program = path === undefined ? undefined : runnable(server, folder, architecture, path);
  if (path === undefined || program === undefined) return undefined;
  const version = await askVersion(server, program, signal);
  if (server === 'php') await findExtensionArgs(program, phpBaseArgs(folder), signal);
  return verifiedProgram(folder, path, version);
}

/** A server of a finished package folder; `undefined` when the folder is not there or does not bring it. */
export async function cachedServer(
  name: ServerName,
  folder: string,
  signal?: AbortSignal,
): Promise<FoundServer | undefined> {
  const manifest = readManifest(folder);
  const noted = manifest?.programs[name];
  if (manifest === undefined || noted === undefined) return undefined;
  const verified = isUnchanged(folder, noted) ? noted : await verifyAgain(name, folder, manifest, signal);
  const program =
    verified === undefined ? undefined : runnable(name, folder, manifest.architecture, verified.path);
  if (verified === undefined || program === undefined) return undefined;
  const server: ServerProgram = {
    ...program,
    env: name === 'pt-heartbeat' ? perlEnvironment(program) : {},
    version: verified.version,
    origin: 'cache',
  };
  switch (name) {
    case 'memcached':
    case 'pt-heartbeat':
    case 'haproxy':
    case 'arping':
      return { name, binaries: server };
    case 'php': {
      const base = phpBaseArgs(folder);
      const modules = { folder: phpExtensionFolder(folder) ?? '', loaded: [] };
      return { name, binaries: { cli: server, extensionArgs: [...base, ...extensionArgs(modules, isFile)] } };
    }
    case 'mariadb':
    case 'mysql':
      return databaseServer(name, server, join(folder, verified.path));
  }
}

/** How a server's program is run; `undefined` when the folder lacks what that needs. */
function runnable(
  server: ServerName,
  folder: string,
  architecture: string,
  path: string,
): FolderProgram | undefined {
  if (server === 'pt-heartbeat') return perlScript(folder, architecture, path);
  const program = folderProgram(folder, architecture, path);
  return server === 'php' && program !== undefined ? withTimeZones(folder, program) : program;
}

// The system's own php.ini names extensions of the system's own PHP, so it must not be read.
function phpBaseArgs(folder: string): readonly string[] {
  const extensions = phpExtensionFolder(folder);
  return ['-n', ...(extensions === undefined ? [] : ['-d', `extension_dir=${extensions}`])];
}

function phpExtensionFolder(folder: string): string | undefined {
  const found = newestName(folder, 'usr/lib/php', /^\d{8}/);
  return found === undefined ? undefined : join(folder, found);
}

async function verifyAgain(
  name: ServerName,
  folder: string,
  manifest: PackageManifest,
  signal: AbortSignal | undefined,
): Promise<VerifiedProgram | undefined> {
  const verified = await verifyFolderProgram(folder, manifest.architecture, name, signal);
  if (verified === undefined) return undefined;
  try {
    writeManifest(folder, { ...manifest, programs: { ...manifest.programs, [name]: verified } });
  } catch {
    // A cache that may only be read works all the same, just a little slower.
  }
  return verified;
}
