/** Runs a short-lived program to its end and collects what it prints. */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { aborted } from '../../common/deadline.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';

/** How a program is run. */
export interface RunProgramOptions {
  /**
   * Stops the program, with all that it started, and rejects with `ERR_ABORTED`. A program with a signal runs in a process group
   * of its own, so that Ctrl-C in a terminal reaches it by the signal only.
   */
  readonly signal?: AbortSignal | undefined;
  /** Stops the program and rejects with `ERR_TIMEOUT` after so many milliseconds. */
  readonly timeoutMs: number;
  /** How long after asking it to end the program is ended by force. Default 2000. */
  readonly killAfterMs?: number | undefined;
  /** Variables added to this process's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Gets every line that the program writes to its file descriptor 3. */
  readonly onStatusLine?: ((line: string) => void) | undefined;
}

/** How a program ended. */
export interface ProgramResult {
  /** Its exit code; `null` when a signal ended it. */
  readonly code: number | null;
  /** What it wrote to standard output. */
  readonly stdout: string;
  /** What it wrote to standard error. */
  readonly stderr: string;
}

/** More output than this is cut off: nothing here needs it, and it must not fill the memory. */
const OUTPUT_LIMIT = 8 * 1024 * 1024;
const KILL_AFTER_MS = 2_000;

/**
 * Runs `command` until it ended, whatever its exit code.
 *
 * @throws StormlampError `ERR_SERVER_MISSING` when it cannot be executed at all, `ERR_ABORTED`, `ERR_TIMEOUT`.
 */
export function runProgram(
  command: string,
  args: readonly string[],
  options: RunProgramOptions,
): Promise<ProgramResult> {
  const { signal, timeoutMs, killAfterMs = KILL_AFTER_MS, onStatusLine } = options;
  if (signal?.aborted === true) return Promise.reject(aborted(`Running ${command}`, signal.reason));
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      // Messages are parsed, so they must not be translated.
      env: { ...process.env, LC_ALL: 'C', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe', onStatusLine === undefined ? 'ignore' : 'pipe'],
      detached: signal !== undefined,
    });
    const stdout = collect(child.stdout as Readable);
    const stderr = collect(child.stderr as Readable);
    if (onStatusLine !== undefined) splitLines(child.stdio[3] as Readable, onStatusLine);
    let stopped: StormlampError | undefined;
    let killTimer: NodeJS.Timeout | undefined;
    const stop = (reason: StormlampError): void => {
      if (stopped !== undefined) return;
      stopped = reason;
      end('SIGTERM');
      killTimer = setTimeout(() => {
        end('SIGKILL');
        // What the program started may live on elsewhere and hold its output open.
        killTimer = setTimeout(() => {
          for (const stream of child.stdio) stream?.destroy();
          finish();
          reject(reason);
        }, killAfterMs);
      }, killAfterMs);
    };
    const end = (name: NodeJS.Signals): void => {
      if (signal === undefined || child.pid === undefined) {
        child.kill(name);
        return;
      }
      try {
        process.kill(-child.pid, name);
      } catch {
        // Nobody of the group is left.
      }
    };
    const onAbort = (): void => stop(aborted(`Running ${command}`, signal?.reason));
    const timer = setTimeout(
      () => stop(new StormlampError(ErrorCode.TIMEOUT, `${command} did not finish within ${timeoutMs} ms`)),
      timeoutMs,
    );
    signal?.addEventListener('abort', onAbort, { once: true });
    const finish = (): void => {
      clearTimeout(timer);
      clearTimeout(killTimer);
      signal?.removeEventListener('abort', onAbort);
    };
    child.once('error', (cause) => {
      finish();
      reject(
        new StormlampError(ErrorCode.SERVER_MISSING, `${command} cannot be run: ${cause.message}`, { cause }),
      );
    });
    child.once('close', (code) => {
      finish();
      if (stopped === undefined) resolve({ code, stdout: stdout(), stderr: stderr() });
      else reject(stopped);
    });
  });
}

function collect(stream: Readable): () => string {
  let text = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    if (text.length < OUTPUT_LIMIT) text += chunk;
  });
  return () => text;
}

function splitLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = (lines.pop() ?? '').slice(-OUTPUT_LIMIT);
    for (const line of lines) onLine(line);
  });
}
