/** Which process acts by itself: one per machine takes part, and one of these holds a majority of the voters. */
import type { LockTarget } from '../locks/lock-session.js';
import { MajorityLock } from '../locks/majority-lock.js';
import { lockName } from '../protocol/lock-name.js';
import { MachineClaim } from './machine-claim.js';

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
  readonly #machine: MachineClaim;
  #lock: MajorityLock | undefined;
  #closed = false;

  /** Takes no part yet. */
  constructor(options: ElectionOptions) {
    this.#options = options;
    const { cluster, host, targets } = options;
    // Two clusters that were left at the same name have nothing to do with each other.
    this.#machine = new MachineClaim([cluster, host, ...targets.map(({ voter }) => voter).sort()]);
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
    if (!(await this.takesPart())) return false;
    const { cluster, targets, waitTimeoutS, onChange } = this.#options;
    try {
      const lock = await MajorityLock.take({
        targets,
        locks: [lockName(cluster, 'manager')],
        waitTimeoutS,
        regainMs: waitTimeoutS * 1_000,
      });
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
      // Two of a machine may take part for a while; nobody waits for that to be found out.
      void this.#machine.standBack();
      return false;
    }
  }

  /** Whether this process is, or becomes now, the one of its machine that takes part. */
  async takesPart(): Promise<boolean> {
    return !this.#closed && (await this.#machine.take());
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
    this.#machine.close();
  }
}
