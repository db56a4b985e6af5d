/** A shell that nobody started from this project, and the package as it would be published. */
import { readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runProgram } from '../../src/testing/servers/run-program.js';
import { ROOT } from '../support/run-node.js';

const FOREIGN =
  /^(npm_(package|lifecycle|config_(local|call|yes)|command|execpath)|NODE_(ENV|OPTIONS|PATH|TEST_CONTEXT)$|VITEST|TEST$|INIT_CWD$)/;

const USER_ENV = {
  PATH: (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((part) => !part.startsWith(ROOT))
    .join(delimiter),
  NO_COLOR: '1',
  // What npm has in its cache will do: then this works without a registry.
  npm_config_prefer_offline: 'true',
  npm_config_audit: 'false',
  npm_config_update_notifier: 'false',
};

/** Runs a command, and gives what it wrote to standard output. Throws, with all that it wrote, where its exit code is not 0. */
export type UserShell = (command: string, env?: Readonly<Record<string, string>>) => Promise<string>;

/**
 * A shell in `folder`.
 *
 * @param onDone is told of every command and how long it took, in milliseconds
 */
export function userShell(folder: string, onDone?: (command: string, ms: number) => void): UserShell {
  const foreign = Object.keys(process.env).filter((name) => FOREIGN.test(name));
  return async (command, env = {}) => {
    const started = performance.now();
    const words = [...foreign.flatMap((name) => ['-u', name]), 'bash', '-c', `cd '${folder}' && ${command}`];
    // Not synchronously: the way to the servers leads through this process.
    const { code, stdout, stderr } = await runProgram('env', words, {
      env: { ...USER_ENV, ...env },
      timeoutMs: 200_000,
    });
    onDone?.(command, performance.now() - started);
    if (code === 0) return stdout;
    const hint = /^npm (install|ci)\b/.test(command)
      ? '\nIt needs the npm registry once; later what is in the cache of npm will do.'
      : '';
    throw new Error(`Stuck at "${command.trim()}", exit code ${code}.${hint}\n${stdout}\n${stderr}`);
  };
}

/** Packs the built package into `folder`; gives the file. */
export async function packStormlamp(folder: string): Promise<string> {
  const tarballs = (): string[] => readdirSync(folder).filter((file) => file.endsWith('.tgz'));
  if (tarballs().length === 0)
    await userShell(ROOT)(`npm pack --ignore-scripts --pack-destination '${folder}'`);
  return join(folder, tarballs()[0] ?? 'none');
}
