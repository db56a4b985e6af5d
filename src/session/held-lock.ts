/** A session lock that this process holds, on one node or on several. */
import type { TakenLock } from './lock-protocol.js';

/** What a {@link HeldLock} needs besides the lock. */
export interface HeldLockOptions {
  /** How often it is renewed once it is kept, in milliseconds. */
  readonly renewEveryMs: number;
  /** Called once when it turns out that the lock is no longer ours. */
  readonly onLost: () => void;
  /** Called once when it was given back. */
  readonly onReleased: () => void;
}

/** A lock that is held until it is given back, expires, or is removed by PHP's unlock. */
export class HeldLock {
  readonly #taken: TakenLock;
  readonly #options: HeldLockOptions;
  #lost = false;
  #timer: NodeJS.Timeout | undefined;
  #renewal: Promise<void> = Promise.resolve();
  #released: Promise<void> | undefined;

  /** @internal */
  constructor(taken: TakenLock, options: HeldLockOptions) {
    this.#taken = taken;
    this.#options = options;
  }

  /** Whether the lock is known to be no longer ours. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Renews the lock until it is given back: for one that is held while a request runs. */
  keep(): void {
    if (this.#released !== undefined) return;
    this.#timer ??= setInterval(() => {
      this.#renewal = this.#renew();
    }, this.#options.renewEveryMs).unref();
  }

  /** Gives the lock back. Never rejects; again: nothing. */
  release(): Promise<void> {
    this.#released ??= this.#giveBack();
    return this.#released;
  }

  async #renew(): Promise<void> {
    // A node that does not answer has not taken the lock away; the next round tries again.
    const ours = await this.#taken.renew().catch(() => true);
    if (!ours) this.#noticeLoss();
  }

  async #giveBack(): Promise<void> {
    clearInterval(this.#timer);
    // A renewal under way changes the version that the release is bound to.
    await this.#renewal;
    if (!this.#lost && !(await this.#taken.release().catch(() => false))) this.#noticeLoss();
    this.#options.onReleased();
  }

  #noticeLoss(): void {
    clearInterval(this.#timer);
    if (this.#lost) return;
    this.#lost = true;
    this.#options.onLost();
  }
}

/** The lock of one session on every node where it was taken. */
export class HeldLocks {
  readonly #locks: readonly HeldLock[];

  /** @internal */
  constructor(locks: readonly HeldLock[]) {
    this.#locks = locks;
  }

  /** Whether one of them is known to be no longer ours. */
  get lost(): boolean {
    return this.#locks.some(({ lost }) => lost);
  }

  /** See {@link HeldLock.keep}. */
  keep(): void {
    for (const lock of this.#locks) lock.keep();
  }

  /** See {@link HeldLock.release}. */
  async release(): Promise<void> {
    await Promise.all(this.#locks.map((lock) => lock.release()));
  }
}
