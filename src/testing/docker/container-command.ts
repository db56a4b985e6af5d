/** What a container runs and where its output goes. */
import type { LaunchSpec } from '../process/server-launcher.js';
import type { ServerName } from '../servers/server-binaries.js';

/** The servers' programs in their images. */
export const CONTAINER_PROGRAMS: Readonly<Record<ServerName, string>> = Object.freeze({
  mariadb: 'mariadbd',
  mysql: 'mysqld',
  memcached: 'memcached',
  php: 'php',
  'pt-heartbeat': 'pt-heartbeat',
  haproxy: 'haproxy',
  arping: 'arping',
});

/** Replaces itself by the program, so that the program gets the engine's signals. */
const REDIRECTED = 'in=$1 out=$2 log=$3; shift 3; exec "$@" < "$in" >> "$out" 2>> "$log"';

/**
 * The command that runs `program` with its input and output in files of the cluster's folder, which the container
 * shares: logs are then where they are without containers.
 */
export function containerCommand(
  spec: Pick<LaunchSpec, 'logFile' | 'outFile' | 'stdinFile'>,
  program: readonly string[],
): [shell: string, ...rest: string[]] {
  const { logFile, outFile = logFile, stdinFile = '/dev/null' } = spec;
  return ['/bin/sh', '-c', REDIRECTED, 'sh', stdinFile, outFile, logFile, ...program];
}

/** The version that an image tells in its environment, like `11.8.2`; `unknown` when it tells none. */
export function imageVersion(server: ServerName, env: readonly string[]): string {
  const prefix = `${server.toUpperCase()}_VERSION=`;
  const found = env.find((line) => line.startsWith(prefix))?.slice(prefix.length) ?? '';
  return /\d+\.\d+(\.\d+)?/.exec(found.replace(/^\d+:/, ''))?.[0] ?? 'unknown';
}
