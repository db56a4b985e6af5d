/** Copies the journal to the servers, as soon as there is a primary that takes it; nothing waits for it. */
import type { JournalRecord } from '../failover-journal.js';
import type { Voter } from '../voters.js';
import type { MetaStore } from './meta-store.js';

/** Records that wait for a primary, at most; the oldest are dropped first. */
const WAITING_LIMIT = 500;
const PAUSE_MS = 500;

/** Writes records in the order in which they came. */
export class JournalWriter {
  readonly #meta: MetaStore;
  readonly #actor: string;
  readonly #writer: () => Voter | undefined;
  #waiting: JournalRecord[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #closed = false;

  /** `writer` gives the node that takes writes now. */
  constructor(meta: MetaStore, actor: string, writer: () => Voter | undefined) {
    this.#meta = meta;
    this.#actor = actor;
    this.#writer = writer;
  }

  /** Whether something is not written yet. */
  get waits(): boolean {
    return this.#waiting.length > 0;
  }

  /** Adds a record. */
  add(record: JournalRecord): void {
    if (this.#closed) return;
    this.#waiting.push(record);
    if (this.#waiting.length > WAITING_LIMIT) this.#waiting.shift();
    this.#schedule();
  }

  /** Writes what waits, if that is possible at once, and stops. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#write();
  }

  /** Writes what waits now, if there is a node that takes it. */
  flush(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      if (this.#waiting.length > 0) this.#schedule();
    });
    return this.#writing;
  }

  #schedule(): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, PAUSE_MS);
    this.#timer.unref();
  }

  async #write(): Promise<void> {
    const writer = this.#writer();
    if (writer === undefined || this.#waiting.length === 0) return;
    const records = this.#waiting;
    this.#waiting = [];
    try {
      await this.#meta.append(writer, records, this.#actor);
    } catch {
      // The primary may be changing just now: in the order in which they came, later.
      this.#waiting = [...records, ...this.#waiting].slice(-WAITING_LIMIT);
    }
  }
}
