/**
 * The way to one mount: a deadline for every call, and few calls at a time.
 *
 * A call to a network mount whose server is gone may hang for ever and cannot be called off. So a mount may occupy only
 * its share of the threads (see `file-threads`), and while one of its calls hangs no new one is started: a dead mount costs
 * its share, and never the process. What has to be ended there, open files first of all, is ended when it is back.
 */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { FileThreads, ThreadUser } from './file-threads.js';

/** How a gate is set up. */
export interface MountGateOptions {
  /** The mount, for messages. */
  readonly path: string;
  /** The threads that calls run in. */
  readonly threads: FileThreads;
  /** Deadline of one call in milliseconds. */
  readonly timeoutMs: number;
}

interface Waiting {
  start(): void;
  refuse(error: StormlampError): void;
}

/** See the head of this file. */
export class MountGate implements ThreadUser {
  readonly #options: MountGateOptions;
  readonly #queue: Waiting[] = [];
  readonly #endings: (() => Promise<unknown>)[] = [];
  #running = 0;
  #hung = 0;

  /** Opens a gate. */
  constructor(options: MountGateOptions) {
    this.#options = options;
    options.threads.join(this);
  }

  /** Calls that missed their deadline and have not come back. */
  get hung(): number {
    return this.#hung;
  }

  /**
   * Runs `work` in its turn.
   *
   * @param late gets the result of a call that came back after its deadline, to undo it
   * @throws StormlampError `ERR_TIMEOUT` at the deadline, or at once while an earlier call hangs, or all threads do.
   */
  run<T>(what: string, work: () => Promise<T>, late?: (value: T) => void): Promise<T> {
    const { threads } = this.#options;
    if (this.#hung > 0) return Promise.reject(this.#error(what));
    if (threads.starved) return Promise.reject(this.#starved(what));
    return new Promise<T>((resolve, reject) => {
      const start = (): void => this.#start(what, work, late, resolve, reject);
      if (this.#running < threads.share && threads.take()) start();
      else this.#queue.push({ start, refuse: reject });
    });
  }

  /**
   * Runs what ends something, like the closing of a file: now, or, should the mount hang, when it is back. Resolves when it is
   * done, or waits for that. Never rejects.
   */
  async end(work: () => Promise<unknown>): Promise<void> {
    if (this.#hung > 0) {
      this.#endings.push(work);
      return;
    }
    let begun = false;
    const begin = (): Promise<unknown> => {
      begun = true;
      return work();
    };
    await this.run('Closing', begin).catch(() => {
      if (!begun) this.#endings.push(work);
    });
  }

  /** Takes no share of the threads any more. */
  close(): void {
    this.#options.threads.leave(this);
  }

  /** Starts calls that wait, while there are threads for them. */
  wake(): void {
    const { threads } = this.#options;
    while (this.#queue.length > 0 && this.#running < threads.share && threads.take())
      this.#queue.shift()?.start();
  }

  /** Refuses the calls that wait. */
  starve(): void {
    for (const waiting of this.#queue.splice(0)) waiting.refuse(this.#starved('A call'));
  }

  #start<T>(
    what: string,
    work: () => Promise<T>,
    late: ((value: T) => void) | undefined,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ): void {
    const { threads, timeoutMs } = this.#options;
    this.#running += 1;
    let hung = false;
    const timer = setTimeout(() => {
      hung = true;
      this.#hung += 1;
      reject(this.#error(what));
      for (const waiting of this.#queue.splice(0)) waiting.refuse(this.#error(what));
      threads.hang();
    }, timeoutMs);
    const back = (): void => {
      clearTimeout(timer);
      this.#running -= 1;
      if (hung) {
        this.#hung -= 1;
        threads.comeBack();
      }
      threads.give();
      if (this.#hung === 0) for (const ending of this.#endings.splice(0)) void this.end(ending);
    };
    work().then(
      (value) => {
        back();
        if (hung) late?.(value);
        else resolve(value);
      },
      (error: unknown) => {
        back();
        reject(error);
      },
    );
  }

  #error(what: string): StormlampError {
    const { path, timeoutMs } = this.#options;
    const message = `${what} on the mount ${path} did not come back within ${timeoutMs} ms`;
    return new StormlampError(ErrorCode.TIMEOUT, message, { node: path });
  }

  /** It says nothing of this mount. */
  #starved(what: string): StormlampError {
    return new StormlampError(
      ErrorCode.TIMEOUT,
      `${what} on the mount ${this.#options.path} found no thread: other mounts hang and hold all that file calls may have; set UV_THREADPOOL_SIZE to at least twice the number of mounts of all stores before the process starts`,
    );
  }
}
