/** A server in a container. */
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { RunningServer } from '../process/running-server.js';

/** What is needed of the engine's own object for a container. */
export interface EngineContainer {
  /** Sends a signal. */
  kill(options: { readonly signal: string }): Promise<unknown>;
  /** Sends SIGTERM, and SIGKILL after `t` seconds. */
  stop(options: { readonly t: number }): Promise<unknown>;
  /** Freezes all its processes. */
  pause(): Promise<unknown>;
  /** Ends {@link EngineContainer.pause}. */
  unpause(): Promise<unknown>;
  /** Resolves when it has ended. */
  wait(): Promise<{ readonly StatusCode: number }>;
  /** Takes it away. */
  remove(options: { readonly force: boolean; readonly v: boolean }): Promise<unknown>;
}

/** Exit code of a process that SIGKILL ended. */
const KILLED = 137;

/** A {@link RunningServer} whose process is the container's first one. */
export class ContainerServer implements RunningServer {
  readonly pid: undefined = undefined;
  readonly ended: Promise<string>;
  readonly #container: EngineContainer;
  readonly #name: string;
  readonly #stopSignal: string;
  #running = true;
  #paused = false;

  /** Takes over a started container. `stopSignal` is what asks its program to end. */
  constructor(container: EngineContainer, name: string, stopSignal: 'SIGTERM' | 'SIGINT') {
    this.#container = container;
    this.#name = name;
    this.#stopSignal = stopSignal;
    this.ended = container
      .wait()
      .then(
        ({ StatusCode }) => (StatusCode === KILLED ? 'signal SIGKILL' : `exit code ${StatusCode}`),
        () => 'the loss of its container',
      )
      .then(async (how) => {
        this.#running = false;
        await container.remove({ force: true, v: true }).catch(() => undefined);
        return how;
      });
  }

  get running(): boolean {
    return this.#running;
  }

  async kill(): Promise<void> {
    if (!this.#running) return;
    await this.#wake();
    await this.#ignoringItsEnd(this.#container.kill({ signal: 'SIGKILL' }));
    await this.ended;
  }

  async stop(timeoutMs: number): Promise<void> {
    if (!this.#running) return;
    await this.#wake();
    if (this.#stopSignal !== 'SIGTERM') {
      await this.#ignoringItsEnd(this.#container.kill({ signal: this.#stopSignal }));
    }
    await this.#ignoringItsEnd(this.#container.stop({ t: Math.ceil(timeoutMs / 1_000) }));
    if ((await this.ended) !== 'signal SIGKILL') return;
    throw new StormlampError(
      ErrorCode.TIMEOUT,
      `${this.#name} did not stop within ${timeoutMs} ms and was killed; see its log for what it waited for`,
      { node: this.#name },
    );
  }

  async pause(): Promise<void> {
    if (this.#paused) return;
    await this.#container.pause();
    this.#paused = true;
  }

  async resume(): Promise<void> {
    if (!this.#paused) return;
    this.#paused = false;
    await this.#container.unpause();
  }

  /** A frozen process sees no signal before it continues. */
  async #wake(): Promise<void> {
    await this.#ignoringItsEnd(this.resume());
  }

  /** The engine answers with an error when the container has ended in this moment. */
  async #ignoringItsEnd(work: Promise<unknown>): Promise<void> {
    await work.catch((error: unknown) => {
      const { statusCode } = error as { statusCode?: unknown };
      if (statusCode !== 304 && statusCode !== 404 && statusCode !== 409) throw error;
    });
  }
}
