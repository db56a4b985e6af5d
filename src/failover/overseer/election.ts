/** Which process acts by itself: one per machine takes part, and one of these holds a majority of the voters. */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import type { LockTarget } from '../locks/lock-session.js';
import { MajorityLock } from '../locks/majority-lock.js';
import { lockName } from '../protocol/lock-name.js';

/** What an election is held with. */
export interface ElectionOptions {
  /** The cluster. */
  readonly cluster: string;
  /** The machine; processes of one machine share the name. */
  readonly host: string;
  /** All voters. */
  readonly targets: readonly LockTarget[];
  /** Seconds after which a server frees the lock of a silent process. */
  readonly waitTimeoutS: number;
  /** Told when this process is, or is no longer, elected. */
  readonly onChange: (leads: boolean) => void;
}

/** This process's part in the election. */
export class Election {
  readonly #options: ElectionOptions;
  /** What keeps the other processes of this machine out; `'everybody'` where nothing can. */
  #machine: Server | 'everybody' | undefined;
  #lock: MajorityLock | undefined;
  #closed = false;

  /** Takes no part yet. */
  constructor(options: ElectionOptions) {
    this.#options = options;
  }

  /** Whether this process is elected. */
  get leads(): boolean {
    return this.#lock?.held === true;
  }

  /**
   * Whether this process is still elected, asked of the voters: after a stall of this process their answers are late, and the locks
   * may be held all the same.
   */
  async renew(): Promise<boolean> {
    return (await this.#lock?.renew()) === true;
  }

  /** Tries to be elected; whether it is. Never rejects. */
  async campaign(): Promise<boolean> {
    if (this.leads) return true;
    if (this.#lock !== undefined) await this.resign();
    if (this.#closed || !(await this.#holdMachine())) return false;
    const { cluster, targets, waitTimeoutS, onChange } = this.#options;
    try {
      const lock = await MajorityLock.take({ targets, locks: [lockName(cluster, 'manager')], waitTimeoutS });
      if (this.#closed) {
        await lock.release();
        return false;
      }
      this.#lock = lock;
      lock.onLost(() => {
        this.#lock = undefined;
        onChange(false);
      });
      onChange(true);
      return true;
    } catch {
      return false;
    }
  }

  /** Whether this process is, or becomes now, the one of its machine that takes part. */
  async takesPart(): Promise<boolean> {
    return !this.#closed && (await this.#holdMachine());
  }

  /** Gives the election up, if there was one. */
  async resign(): Promise<void> {
    const lock = this.#lock;
    this.#lock = undefined;
    if (lock === undefined) return;
    await lock.release();
    this.#options.onChange(false);
  }

  /** Gives everything up. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.resign();
    if (this.#machine !== 'everybody') this.#machine?.close();
    this.#machine = undefined;
  }

  /**
   * A socket with a name, which the system gives to one process and takes back when that ends. Only Linux has such names; elsewhere
   * every process takes part: that costs sessions, and the voters still elect one.
   */
  async #holdMachine(): Promise<boolean> {
    if (this.#machine !== undefined) return true;
    const { cluster, host, targets } = this.#options;
    // Two clusters that were left at the same name have nothing to do with each other. The system takes short names only.
    const which = [cluster, host, ...targets.map(({ voter }) => voter).sort()].join(' ');
    const name = createHash('sha256').update(which).digest('hex').slice(0, 32);
    const server = createServer((socket) => socket.destroy());
    const refused = await new Promise<string | undefined>((resolve) => {
      server.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? ''));
      server.listen({ path: `\0stormlamp/${name}` }, () => resolve(undefined));
    });
    if (refused === 'EADDRINUSE') return false;
    server.unref();
    if (this.#closed) server.close();
    else this.#machine = refused === undefined ? server : 'everybody';
    return true;
  }
}
