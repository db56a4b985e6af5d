/** Chooses what starts the servers: programs of this machine, or containers. */
import { describeError, ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type { ResolvedLocalClusterOptions } from './local-cluster-options.js';
import type { Guardian } from './process/guardian.js';
import { NativeLauncher } from './process/native-launcher.js';
import type { ServerLauncher } from './process/server-launcher.js';
import { SERVER_VARIABLES } from './servers/missing-server.js';
import { resolveServers } from './servers/resolve-servers.js';
import type { ServerName } from './servers/server-binaries.js';

/**
 * The launcher for a cluster whose files are in `folder`. With `driver: 'auto'` it is Docker's when the programs can
 * neither be found nor installed, an engine answers, and nothing was asked for that only programs can do.
 *
 * @throws StormlampError `ERR_SERVER_MISSING`, `ERR_ABORTED`.
 */
export async function openLauncher(
  options: ResolvedLocalClusterOptions,
  folder: string,
  guardian: Guardian,
  resolve: typeof resolveServers = resolveServers,
): Promise<ServerLauncher> {
  const names = neededServers(options);
  const { onProgress, binaries, versions, signal, driver } = options;
  if (driver === 'docker') return await openDocker(options, names, folder);
  try {
    const found = await resolve(names, {
      onProgress: (install) => onProgress({ phase: 'install', message: install.message, install }),
      versions,
      ...(binaries === undefined ? {} : { binaries }),
      ...(signal === undefined ? {} : { signal }),
    });
    return new NativeLauncher(found, guardian);
  } catch (error) {
    const missing = isStormlampError(error, ErrorCode.SERVER_MISSING) ? error : undefined;
    if (missing === undefined || driver !== 'auto' || needsPrograms(options, names)) throw error;
    return await openDockerInstead(missing, options, names, folder);
  }
}

function neededServers(options: ResolvedLocalClusterOptions): readonly ServerName[] {
  const names: ServerName[] = [];
  if (options.databases) names.push(options.flavor);
  if (options.memcached > 0) names.push('memcached');
  if (options.php) names.push('php');
  if (options.ptHeartbeat) names.push('pt-heartbeat');
  return names;
}

/** Whether programs were named, or are asked for that no image has. */
function needsPrograms(options: ResolvedLocalClusterOptions, names: readonly ServerName[]): boolean {
  const { binaries = {}, versions, ptHeartbeat } = options;
  const isNamed = (name: ServerName): boolean =>
    binaries[name] !== undefined || (process.env[SERVER_VARIABLES[name]] ?? '') !== '';
  return ptHeartbeat || Object.keys(versions).length > 0 || names.some(isNamed);
}

async function openDockerInstead(
  missing: StormlampError,
  options: ResolvedLocalClusterOptions,
  names: readonly ServerName[],
  folder: string,
): Promise<ServerLauncher> {
  options.onProgress({ phase: 'install', message: 'the servers cannot be had here; asking for Docker' });
  const { connectDockerEngine } = await import('./docker/docker-engine.js');
  try {
    await connectDockerEngine();
  } catch (error) {
    const reason = describeError((error as StormlampError).cause ?? error);
    const message = `${missing.message} Docker cannot be used instead (${reason}).`;
    throw new StormlampError(ErrorCode.SERVER_MISSING, message, { cause: missing });
  }
  return await openDocker(options, names, folder);
}

async function openDocker(
  { images, onProgress }: ResolvedLocalClusterOptions,
  servers: readonly ServerName[],
  folder: string,
): Promise<ServerLauncher> {
  const { DockerLauncher } = await import('./docker/docker-launcher.js');
  return await DockerLauncher.open({ servers, images: { ...images }, folder, onProgress });
}
