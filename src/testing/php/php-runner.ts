/** Runs PHP scripts that see the cluster's sessions. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CallOptions, Deadline } from '../../common/deadline.js';
import { invalidOption, rejectUnknownOptions } from '../../common/option-reader.js';
import type { ServerLauncher } from '../process/server-launcher.js';
import { iniArgs, type PhpIni } from './php-ini.js';

const SCRIPT_TIMEOUT_MS = 60_000;

/** How a PHP script is run. */
export interface PhpOptions extends CallOptions {
  /** Settings that are added to the cluster's, or take the place of them. */
  readonly ini?: PhpIni | undefined;
  /** The script's arguments (`$argv`). */
  readonly args?: readonly string[] | undefined;
  /** The script's standard input. Default: none. */
  readonly stdin?: string | Uint8Array | undefined;
  /** More variables for the script's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** What a PHP script left. */
export interface PhpResult {
  /** What it wrote to its standard output, as UTF-8. */
  readonly stdout: string;
  /** The same, byte for byte. */
  readonly stdoutBytes: Buffer;
  /** What it wrote to its standard error, where PHP's own messages go too. */
  readonly stderr: string;
  /** Its exit code; -1 when a signal ended it. */
  readonly exitCode: number;
}

/** What a runner needs. */
export interface PhpRunnerOptions {
  /** The cluster's folder. */
  readonly clusterFolder: string;
  /** The cluster's settings. */
  readonly ini: PhpIni;
  /** Starts PHP. */
  readonly launcher: ServerLauncher;
}

/**
 * Runs `script`, a text with `<?php` in it, and resolves when it has ended, whatever its exit code.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` for what is no such text; `ERR_TIMEOUT` after `timeoutMs` (default 60 s), `ERR_ABORTED`; the script was killed then.
 */
export async function runPhp(
  runner: PhpRunnerOptions,
  script: string,
  options: PhpOptions = {},
): Promise<PhpResult> {
  checkScript('script', script);
  rejectUnknownOptions('options', options, ['ini', 'args', 'stdin', 'env', 'signal', 'timeoutMs']);
  const deadline = Deadline.of(options, SCRIPT_TIMEOUT_MS);
  deadline.check('The PHP script');
  const folder = join(runner.clusterFolder, `php-${randomUUID()}`);
  mkdirSync(folder, { mode: 0o700 });
  try {
    const file = join(folder, 'script.php');
    writeFileSync(file, script);
    const stdinFile = options.stdin === undefined ? undefined : join(folder, 'stdin');
    if (stdinFile !== undefined) writeFileSync(stdinFile, options.stdin ?? '');
    const outFile = join(folder, 'stdout');
    const logFile = join(folder, 'stderr');
    const running = await runner.launcher.launch({
      server: 'php',
      name: 'php',
      folder,
      logFile,
      outFile,
      stdinFile,
      env: options.env,
      args: [...iniArgs({ ...runner.ini, ...options.ini }), '-f', file, '--', ...(options.args ?? [])],
    });
    const how = await deadline.race('The PHP script', running.ended).catch(async (error: unknown) => {
      await running.kill();
      throw error;
    });
    const stdoutBytes = readFileSync(outFile);
    return {
      stdout: stdoutBytes.toString('utf8'),
      stdoutBytes,
      stderr: readFileSync(logFile, 'utf8'),
      exitCode: Number(/^exit code (\d+)$/.exec(how)?.[1] ?? -1),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Refuses what PHP would print instead of running it.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming `path`.
 */
export function checkScript(path: string, script: unknown): asserts script is string {
  if (typeof script === 'string' && /<\?(?:php\b|=)/i.test(script)) return;
  throw invalidOption(path, 'a text of PHP with `<?php` in it', script);
}
