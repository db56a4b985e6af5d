/** What Ctrl-C and SIGTERM do to a command: the first asks it to end, another one ends the process. */
import { Deadline } from '../common/deadline.js';

/** Why a command was stopped. */
export class Interruption extends Error {
  /** The exit code: 128 and the number of the signal. */
  readonly exitCode: number;

  constructor(by: Named) {
    super('interrupted');
    this.exitCode = by === 'SIGINT' ? 130 : 143;
  }
}

/** npx sends its child the Ctrl-C that the terminal sent it already: two that are this near are one, milliseconds. */
const ONE_MS = 500;

/** Who tells of signals: the process. */
interface SignalSource {
  on(name: Named, listener: (by: NodeJS.Signals) => void): unknown;
  off(name: Named, listener: (by: NodeJS.Signals) => void): unknown;
}

type Named = 'SIGINT' | 'SIGTERM';

/** Listens to SIGINT and SIGTERM until it is stopped. */
export class SignalWatch {
  readonly #abort = new AbortController();
  readonly #onAgain: (interruption: Interruption) => void;
  readonly #source: SignalSource;
  #firstAt: number | undefined;

  /** @param onAgain called for a signal after the first one: to end the process, whatever it waits for */
  constructor(onAgain: (interruption: Interruption) => void, source: SignalSource = process) {
    this.#onAgain = onAgain;
    this.#source = source;
    source.on('SIGINT', this.#listener);
    source.on('SIGTERM', this.#listener);
  }

  /** Fires at the first signal. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The first signal, when there was one. */
  get interruption(): Interruption | undefined {
    return this.signal.aborted ? (this.signal.reason as Interruption) : undefined;
  }

  /** Leaves the signals to the system again. */
  stop(): void {
    this.#source.off('SIGINT', this.#listener);
    this.#source.off('SIGTERM', this.#listener);
  }

  readonly #listener = (by: NodeJS.Signals): void => {
    const interruption = new Interruption(by === 'SIGTERM' ? by : 'SIGINT');
    const now = performance.now();
    if (this.#firstAt === undefined) {
      this.#firstAt = now;
      this.#abort.abort(interruption);
    } else if (now - this.#firstAt >= ONE_MS) this.#onAgain(interruption);
  };
}

/**
 * Settles as `work` does, or rejects as soon as `signal` fires. Only for work that can be left at any moment: it goes
 * on unseen until the process ends.
 *
 * @throws StormlampError `ERR_ABORTED`.
 */
export function leaveOn<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return Deadline.of({ signal }).race('The command', work);
}
