/**
 * Sessions whose id was replaced. They stay for a moment: a browser sends several requests at once, and those that left it
 * before it learnt the new id would find nothing, begin a session of their own, and put its cookie over the new one.
 */
import type { CallOptions } from '../common/deadline.js';

/** What is done with sessions that were replaced. */
export interface RetiredSessionsPort {
  /** Removes a session. */
  destroy(id: string, options?: CallOptions): Promise<void>;
  /** Lets a session end by itself, should this process not live to remove it. */
  shorten(id: string, remainingMs: number, options?: CallOptions): Promise<void>;
}

interface Retired {
  readonly id: string;
  readonly successor: string;
  readonly timer: NodeJS.Timeout;
}

/** See the head of this file. */
export class RetiredSessions {
  readonly #port: RetiredSessionsPort;
  readonly #retired = new Set<Retired>();
  readonly #removals = new Set<Promise<void>>();

  /** Removes through `port`. */
  constructor(port: RetiredSessionsPort) {
    this.#port = port;
  }

  /** Removes a session `graceMs` from now, whoever uses it meanwhile; 0 removes it at once. */
  async retire(id: string, successor: string, graceMs: number, options?: CallOptions): Promise<void> {
    if (graceMs === 0) {
      await this.#port.destroy(id, options);
      return;
    }
    await this.#port.shorten(id, graceMs, options);
    const retired: Retired = {
      id,
      successor,
      timer: setTimeout(() => this.#remove(retired), graceMs).unref(),
    };
    this.#retired.add(retired);
  }

  /** The sessions that `id` replaced and that are still there: whoever logs out of it logs out of them. */
  take(id: string): readonly string[] {
    const taken: string[] = [];
    for (let successor: string | undefined = id; successor !== undefined; ) {
      const before = [...this.#retired].find((one) => one.successor === successor);
      successor = before?.id;
      if (before === undefined) break;
      this.#forget(before);
      taken.push(before.id);
    }
    return taken;
  }

  /** Removes all of them now. Never rejects. */
  async close(): Promise<void> {
    for (const retired of [...this.#retired]) this.#remove(retired);
    await Promise.all(this.#removals);
  }

  #remove(retired: Retired): void {
    this.#forget(retired);
    // What could not be removed was shortened, and ends by itself.
    const removal: Promise<void> = this.#port.destroy(retired.id).catch(() => undefined);
    this.#removals.add(removal);
    void removal.then(() => this.#removals.delete(removal));
  }

  #forget(retired: Retired): void {
    clearTimeout(retired.timer);
    this.#retired.delete(retired);
  }
}
