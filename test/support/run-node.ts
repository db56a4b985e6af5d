/** Runs programs of the built package as a user would: in a process of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';

/** The project's folder. */
export const ROOT = resolve(import.meta.dirname, '../..');

/** What a finished process left. */
export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running process and its end. */
export interface RunningNode {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** What it wrote so far. */
  output(): string;
}

/** Starts `node`, or the `program` of another release, with arguments; killed after `timeoutMs`. */
export function startNode(
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; timeoutMs?: number; program?: string } = {},
): RunningNode {
  const child = spawn(options.program ?? process.execPath, args, {
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, NO_COLOR: '1', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const limit = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 120_000);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const finished = new Promise<Finished>((done, fail) => {
    child.once('error', fail);
    child.once('close', (code, signal) => {
      clearTimeout(limit);
      done({ code, signal, stdout, stderr });
    });
  });
  return { child, finished, output: () => stdout + stderr };
}

/** Runs `stormlamp` with arguments to its end. */
export function stormlamp(
  args: readonly string[],
  options?: Parameters<typeof startNode>[1],
): Promise<Finished> {
  return startNode(['dist/cli/main.js', ...args], options).finished;
}
