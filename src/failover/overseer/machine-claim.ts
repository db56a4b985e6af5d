/** Which process of a machine takes part in elections: it holds a name that the system gives to one process at a time. */
import { createHash } from 'node:crypto';
import { connect, createServer, type Server } from 'node:net';

/** So long a process that holds a name may take to answer, milliseconds; then it counts as hung, and is passed over. */
const ANSWER_MS = 2_000;
/** So many names there are: one more process may take part for each that hangs, and all of them when so many do. */
const NAMES = 4;

type Holder = 'answers' | 'hangs' | 'gone';

/**
 * The claim of this process. The name is a socket's, which the system takes back when its process ends. Only Linux has such names;
 * elsewhere every process takes part: that costs sessions, and the voters still elect one.
 */
export class MachineClaim {
  readonly #name: string;
  readonly #stop = new AbortController();
  #held: { readonly server: Server | undefined; readonly rank: number } | undefined;
  #claiming: Promise<boolean> | undefined;

  /** Claims nothing yet. `parts`: what processes that stand back for each other have in common. */
  constructor(parts: readonly string[]) {
    // The system takes short names only.
    this.#name = createHash('sha256').update(parts.join(' ')).digest('hex').slice(0, 32);
  }

  /** Whether this process is, or becomes now, the one of its machine; one that hangs is passed over. Never rejects. */
  async take(): Promise<boolean> {
    if (this.#held !== undefined) return true;
    this.#claiming ??= this.#take().finally(() => {
      this.#claiming = undefined;
    });
    return await this.#claiming;
  }

  /** Stands back when a process that was passed over answers again, or has left its name. Never rejects. */
  async standBack(): Promise<void> {
    const held = this.#held;
    for (let rank = 0; held?.server !== undefined && rank < held.rank; rank += 1) {
      if ((await this.#holderOf(rank)) === 'hangs') continue;
      if (this.#held === held) this.#held = undefined;
      held.server.close();
      return;
    }
  }

  /** Gives the claim up. */
  close(): void {
    this.#stop.abort();
    this.#held?.server?.close();
    this.#held = undefined;
  }

  async #take(): Promise<boolean> {
    for (let rank = 0; rank < NAMES; rank += 1) {
      const held = await this.#listen(rank);
      if (this.#stop.signal.aborted) {
        held?.server?.close();
        return false;
      }
      this.#held = held;
      if (held !== undefined) return true;
      if ((await this.#holderOf(rank)) !== 'hangs') return false;
    }
    this.#held = { server: undefined, rank: NAMES };
    return true;
  }

  /** Undefined when another process has the name; without a server where there are no such names. */
  #listen(rank: number): Promise<{ readonly server: Server | undefined; readonly rank: number } | undefined> {
    // Whoever asks sees the connection end: a process that hangs ends none.
    const server = createServer((socket) => socket.destroy());
    return new Promise((resolve) => {
      server.once('error', ({ code }: NodeJS.ErrnoException) =>
        resolve(code === 'EADDRINUSE' ? undefined : { server: undefined, rank }),
      );
      // Workers of `node:cluster` would share the name else, all of them.
      server.listen({ path: this.#path(rank), exclusive: true }, () => {
        server.unref();
        resolve({ server, rank });
      });
    });
  }

  #holderOf(rank: number): Promise<Holder> {
    return new Promise((resolve) => {
      const socket = connect({ path: this.#path(rank), signal: this.#stop.signal });
      const end = (holder: Holder): void => {
        clearTimeout(timer);
        socket.destroy();
        resolve(holder);
      };
      const timer = setTimeout(() => end('hangs'), ANSWER_MS);
      timer.unref();
      socket.unref();
      // More have asked it than the system keeps for it.
      socket.on('error', ({ code }: NodeJS.ErrnoException) => end(code === 'EAGAIN' ? 'hangs' : 'gone'));
      socket.once('close', () => end('answers'));
      socket.resume();
    });
  }

  #path(rank: number): string {
    return `\0stormlamp/${this.#name}${rank === 0 ? '' : `/${rank}`}`;
  }
}
