/** Runs a program of the operating system for a resource. */
import { execFile } from 'node:child_process';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';

/** What a program left. */
export interface CommandResult {
  /** Its exit code. */
  readonly code: number;
  /** What it wrote to its standard output. */
  readonly stdout: string;
  /** What it wrote to its standard error. */
  readonly stderr: string;
}

/** Runs a program without a shell. */
export type RunCommand = (
  program: string,
  args: readonly string[],
  timeoutMs: number,
) => Promise<CommandResult>;

/** Longest output that is kept. */
const MAX_OUTPUT = 1_000_000;

/**
 * Runs a program of this machine; resolves with its exit code, whatever that is.
 *
 * @throws StormlampError `ERR_UNSUPPORTED` for a program that is not there, `ERR_TIMEOUT` for one that had to be killed.
 */
export const runCommand: RunCommand = (program, args, timeoutMs) =>
  new Promise((resolve, reject) => {
    const limits = { timeout: timeoutMs, killSignal: 'SIGKILL' as const, maxBuffer: MAX_OUTPUT };
    execFile(program, args, limits, (error, stdout, stderr) => {
      const { code, killed } = (error ?? {}) as { code?: number | string; killed?: boolean };
      if (code === 'ENOENT')
        reject(
          new StormlampError(ErrorCode.UNSUPPORTED, `The program \`${program}\` is not there`, {
            cause: error,
          }),
        );
      else if (killed === true)
        reject(
          new StormlampError(
            ErrorCode.TIMEOUT,
            `\`${commandText(program, args)}\` did not end within ${timeoutMs} ms`,
          ),
        );
      else if (typeof code === 'string') reject(error);
      else resolve({ code: code ?? 0, stdout, stderr });
    });
  });

/**
 * Runs a program that must succeed.
 *
 * @throws StormlampError `ERR_UNSUPPORTED` with what it said, or as {@link runCommand}.
 */
export async function mustRun(
  run: RunCommand,
  program: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, timeoutMs);
  if (code === 0) return stdout;
  const said = (stderr || stdout).trim().slice(0, 500);
  throw new StormlampError(
    ErrorCode.UNSUPPORTED,
    `\`${commandText(program, args)}\` failed with ${code}${said === '' ? '' : `: ${said}`}`,
  );
}

function commandText(program: string, args: readonly string[]): string {
  return [program, ...args].join(' ');
}
