/**
 * The way to one mount: a deadline for every call, and few calls at a time.
 *
 * File calls run in libuv's pool of threads (4 unless `UV_THREADPOOL_SIZE` says more), which DNS look-ups and all other
 * files of the process share. A call to a network mount whose server is gone may hang for ever and cannot be called
 * off. So a mount may occupy only its share of the threads, and while one of its calls hangs no new one is started:
 * a dead mount costs its share, and never the process.
 */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** How a gate is set up. */
export interface MountGateOptions {
  /** The mount, for messages. */
  readonly path: string;
  /** Calls at a time. */
  readonly limit: number;
  /** Deadline of one call in milliseconds. */
  readonly timeoutMs: number;
}

/** Calls that one mount may have under way at a time, out of `threads`, so that one thread stays free for everybody else. */
export function callsPerMount(threads: number, mounts: number): number {
  return Math.max(1, Math.floor((threads - 1) / mounts));
}

/** The threads of libuv's pool. */
export function poolThreads(env: Readonly<Record<string, string | undefined>> = process.env): number {
  const threads = Number.parseInt(env['UV_THREADPOOL_SIZE'] ?? '', 10);
  return Number.isNaN(threads) ? 4 : Math.min(1024, Math.max(1, threads));
}

interface Waiting {
  start(): void;
  refuse(error: StormlampError): void;
}

/** See the head of this file. */
export class MountGate {
  readonly #options: MountGateOptions;
  readonly #queue: Waiting[] = [];
  #running = 0;
  #hung = 0;

  /** Opens a gate. */
  constructor(options: MountGateOptions) {
    this.#options = options;
  }

  /** Calls that missed their deadline and have not come back. */
  get hung(): number {
    return this.#hung;
  }

  /**
   * Runs `work` in its turn.
   *
   * @param late gets the result of a call that came back after its deadline, to undo it
   * @throws StormlampError `ERR_TIMEOUT` at the deadline, or at once while an earlier call hangs.
   */
  run<T>(what: string, work: () => Promise<T>, late?: (value: T) => void): Promise<T> {
    if (this.#hung > 0) return Promise.reject(this.#error(what));
    return new Promise<T>((resolve, reject) => {
      const start = (): void => {
        this.#running += 1;
        let phase: 'running' | 'hung' | 'done' = 'running';
        const timer = setTimeout(() => {
          phase = 'hung';
          this.#hung += 1;
          reject(this.#error(what));
          for (const waiting of this.#queue.splice(0)) waiting.refuse(this.#error(what));
        }, this.#options.timeoutMs);
        const back = (): boolean => {
          clearTimeout(timer);
          const wasHung = phase === 'hung';
          if (wasHung) this.#hung -= 1;
          phase = 'done';
          this.#running -= 1;
          this.#queue.shift()?.start();
          return wasHung;
        };
        work().then(
          (value) => {
            if (back()) late?.(value);
            else resolve(value);
          },
          (error: unknown) => {
            back();
            reject(error);
          },
        );
      };
      if (this.#running < this.#options.limit) start();
      else this.#queue.push({ start, refuse: reject });
    });
  }

  #error(what: string): StormlampError {
    const { path, timeoutMs } = this.#options;
    const message = `${what} on the mount ${path} did not come back within ${timeoutMs} ms`;
    return new StormlampError(ErrorCode.TIMEOUT, message, { node: path });
  }
}
