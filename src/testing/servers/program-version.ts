/** Runs a server program once to learn that it works and which version it is. */
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { FolderProgram } from './package-folder.js';
import { runProgram } from './run-program.js';
import type { ServerName } from './server-binaries.js';

const VERIFY_TIMEOUT_MS = 20_000;
const FLAGS: Readonly<Record<ServerName, readonly string[]>> = {
  mariadb: ['--no-defaults', '--version'],
  mysql: ['--no-defaults', '--version'],
  memcached: ['-V'],
  php: ['-n', '-v'],
  'pt-heartbeat': ['--version'],
  haproxy: ['-v'],
  arping: ['-V'],
};

/**
 * The version that a program tells of itself.
 *
 * @throws StormlampError `ERR_SERVER_MISSING` when it cannot be run or is another program, `ERR_ABORTED`.
 */
export async function askVersion(
  server: ServerName,
  program: FolderProgram,
  signal?: AbortSignal,
): Promise<string> {
  const args = [...program.prefixArgs, ...FLAGS[server]];
  const path = program.prefixArgs.at(-1) ?? program.command;
  const result = await runProgram(program.command, args, { signal, timeoutMs: VERIFY_TIMEOUT_MS });
  const version = result.code === 0 ? parseVersion(server, result.stdout) : undefined;
  if (version !== undefined) return version;
  const said = (result.stderr.trim() || result.stdout.trim()).split('\n')[0] ?? '';
  throw new StormlampError(
    ErrorCode.SERVER_MISSING,
    `${path} is not a usable ${server} program: ` +
      `\`${FLAGS[server].join(' ')}\` ended with ${result.code ?? 'a signal'}${said === '' ? '' : ` and said "${said.slice(0, 200)}"`}`,
  );
}

/** The version in a program's own words; `undefined` when the words are another program's. */
export function parseVersion(server: ServerName, text: string): string | undefined {
  const isMariadb = /mariadb/i.test(text);
  switch (server) {
    case 'mariadb':
      return isMariadb ? /\b(?:Ver|from)\s+(\d+\.\d+\.\d+)/.exec(text)?.[1] : undefined;
    case 'mysql':
      return isMariadb ? undefined : /\bVer\s+(\d+\.\d+\.\d+)/.exec(text)?.[1];
    case 'memcached':
      return /^memcached\s+(\d+\.\d+\.\d+)/m.exec(text)?.[1];
    case 'php':
      return /^PHP\s+(\d+\.\d+\.\d+)/m.exec(text)?.[1];
    case 'pt-heartbeat':
      return /^pt-heartbeat\s+(\d+\.\d+\.\d+)/m.exec(text)?.[1];
    case 'arping':
      return /^arping from iputils\s+(\d+)/m.exec(text)?.[1];
    case 'haproxy':
      return /^HA-?Proxy version\s+(\d+\.\d+\.\d+)/m.exec(text)?.[1];
  }
}
