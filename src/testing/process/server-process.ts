/** One running server program, in a process group of its own so that the terminal's Ctrl-C does not reach it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { ServerProgram } from '../servers/server-binaries.js';
import type { Guardian } from './guardian.js';
import { processState } from './process-stat.js';
import type { RunningServer } from './running-server.js';
import type { LaunchSpec } from './server-launcher.js';

/** What is started. */
export interface ServerProcessSpec extends LaunchSpec {
  /** The program. */
  readonly program: ServerProgram;
}

const PAUSE_TIMEOUT_MS = 2_000;

/** A child process that is a server. */
export class ServerProcess implements RunningServer {
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #name: string;
  #running = true;

  /**
   * Starts the program.
   *
   * @throws StormlampError `ERR_SERVER_START` when the system cannot run it.
   */
  static async launch(spec: ServerProcessSpec, guardian: Guardian): Promise<ServerProcess> {
    const opened: number[] = [];
    const open = (file: string, flags: string): number => {
      const descriptor = openSync(file, flags, 0o600);
      opened.push(descriptor);
      return descriptor;
    };
    let child: ChildProcess;
    try {
      const log = open(spec.logFile, 'a');
      const out = spec.outFile === undefined ? log : open(spec.outFile, 'a');
      const input = spec.stdinFile === undefined ? 'ignore' : open(spec.stdinFile, 'r');
      child = spawn(spec.program.command, [...spec.program.prefixArgs, ...spec.args], {
        detached: true,
        cwd: spec.folder,
        env: { ...process.env, ...spec.program.env, ...spec.env, ...guardian.env },
        stdio: [input, out, log],
      });
    } finally {
      opened.forEach((descriptor) => {
        closeSync(descriptor);
      });
    }
    // Registered in the same turn in which it was started: it cannot have been waited for yet.
    if (child.pid !== undefined) guardian.watchProcess(child.pid);
    const server = new ServerProcess(spec.name, child);
    if (child.pid === undefined) {
      const reason = await server.ended;
      throw new StormlampError(
        ErrorCode.SERVER_START,
        `${spec.name} did not start: ${spec.program.command} cannot be run (${reason}); check the path and its permissions`,
        { node: spec.name },
      );
    }
    return server;
  }

  private constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.#child = child;
    this.ended = new Promise((resolve) => {
      const end = (how: string): void => {
        this.#running = false;
        resolve(how);
      };
      child.once('error', (error) => {
        if (child.pid === undefined) end(describeError(error));
      });
      child.once('exit', (code, signal) => {
        end(signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`);
        if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#running;
  }

  /** Sends `signal` to it and all its children; nothing when it has ended. */
  signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (this.#running && pid !== undefined) signalGroup(pid, signal);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }

  async pause(): Promise<void> {
    this.signal('SIGSTOP');
    const until = performance.now() + PAUSE_TIMEOUT_MS;
    const { pid } = this.#child;
    // The signal is delivered when each thread gets to run next.
    while (pid !== undefined && processState(pid) !== 'T' && performance.now() < until) await sleep(2);
  }

  async resume(): Promise<void> {
    this.signal('SIGCONT');
  }

  async stop(timeoutMs: number): Promise<void> {
    if (!this.#running) return;
    const { pid } = this.#child;
    // A stopped process does not see SIGTERM before it continues.
    this.signal('SIGCONT');
    // Only to the server itself: what its children do about it is its own business.
    if (pid !== undefined) process.kill(pid, 'SIGTERM');
    const timer = new AbortController();
    const late = sleep(timeoutMs, 'late' as const, { signal: timer.signal }).catch(() => 'stopped' as const);
    const outcome = await Promise.race([this.ended, late]);
    timer.abort();
    if (outcome !== 'late') return;
    await this.kill();
    throw new StormlampError(
      ErrorCode.TIMEOUT,
      `${this.#name} did not stop within ${timeoutMs} ms and was killed; see its log for what it waited for`,
      { node: this.#name },
    );
  }
}

function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch (error) {
    // Nobody of the group is left.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
