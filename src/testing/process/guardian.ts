/** Cleans up after this process when it dies without doing so itself: Ctrl-C, SIGTERM, kill -9, a crash. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { GUARDIAN_SCRIPT } from './guardian-script.js';
import { processStart } from './process-stat.js';

const END_TIMEOUT_MS = 5_000;
/** The variable by which a guardian recognises the processes of its cluster. */
const MARKER = 'STORMLAMP_LOCAL_CLUSTER';

/**
 * A small detached process that holds a pipe from this one. When the pipe breaks, it kills every registered process
 * (and only if it is still the same one) and removes the registered folders. It ignores the terminal's signals.
 */
export class Guardian {
  /** What every process of the cluster must have in its environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly #child: ChildProcess;
  #ended = false;

  /**
   * Starts the watch. `mark` is a text that no other cluster has; `folders` are removed also when this process dies before it
   * could say anything.
   *
   * @throws StormlampError `ERR_SERVER_START` when `/bin/sh` cannot be run.
   */
  constructor(mark: string, folders: readonly string[] = []) {
    this.env = { [MARKER]: mark };
    for (const folder of folders) refuseLineEnd(folder);
    const args = ['-c', GUARDIAN_SCRIPT, 'stormlamp-guardian', `${MARKER}=${mark}`, ...folders];
    this.#child = spawn('/bin/sh', args, {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
      env: { PATH: `${process.env['PATH'] ?? ''}:/usr/bin:/bin`, LC_ALL: 'C' },
    });
    // The exit is looked at where it matters; a failed write means that the guardian is gone.
    this.#child.once('error', () => undefined);
    this.#child.once('exit', () => {
      this.#ended = true;
    });
    this.#child.stdin?.on('error', () => undefined);
    if (this.#child.pid === undefined) {
      throw new StormlampError(
        ErrorCode.SERVER_START,
        'The process that cleans up after a crash did not start: /bin/sh cannot be run; a POSIX shell is needed',
      );
    }
    // Neither it nor its pipe shall keep this process alive.
    this.#child.unref();
    (this.#child.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  }

  /** The guardian's own process id. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Adds a process, which must lead its own process group and must not have been waited for yet. */
  watchProcess(pid: number): void {
    this.#tell(`pid ${pid} ${processStart(pid) ?? '-'}`);
  }

  /** Adds a folder to remove. */
  watchFolder(path: string): void {
    this.#tell(`dir ${path}`);
  }

  /** Adds a file to remove, if it still holds `token` then: otherwise it is somebody else's by now. */
  watchLock(path: string, token: string): void {
    this.#tell(`lock ${token} ${path}`);
  }

  /** Ends the watch: everything was cleaned up in good order. */
  async end(): Promise<void> {
    if (this.#ended) return;
    const gone = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.#child.stdin?.end('done\n');
    const timer = new AbortController();
    await Promise.race([
      gone,
      sleep(END_TIMEOUT_MS, undefined, { signal: timer.signal }).catch(() => undefined),
    ]);
    timer.abort();
    if (!this.#ended) this.#child.kill('SIGKILL');
  }

  #tell(line: string): void {
    refuseLineEnd(line);
    this.#child.stdin?.write(`${line}\n`);
  }
}

/** A line end in a path would be a command of its own. */
function refuseLineEnd(line: string): void {
  if (!line.includes('\n')) return;
  throw new StormlampError(
    ErrorCode.SERVER_START,
    'The folder for temporary files, or the cache folder, has a line end in its name; set TMPDIR or STORMLAMP_CACHE',
  );
}
