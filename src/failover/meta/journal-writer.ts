/** Copies the journal to the servers, as soon as there is a primary that takes it; nothing waits for it. */
import type { JournalRecord } from '../failover-journal.js';
import type { Voter } from '../voters.js';
import type { MetaStore } from './meta-store.js';
import { isAboutValues } from './meta-text.js';

/** Records of one statement, at most. */
const TOGETHER = 50;
/** Old records are looked for after so many new ones. */
const TRIM_EVERY = 500;
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
  #sinceTrim = 0;

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
    let left = this.#waiting;
    this.#waiting = [];
    let together = TOGETHER;
    try {
      while (left.length > 0) {
        const now = left.slice(0, together);
        try {
          await this.#meta.append(writer, now, this.#actor);
          this.#sinceTrim += now.length;
        } catch (error) {
          if (!isAboutValues(error)) throw error;
          // One of them cannot be written: the others must not wait for it.
          if (now.length > 1) {
            together = 1;
            continue;
          }
          await this.#meta.append(writer, now.map(dropped(error)), this.#actor).catch(() => undefined);
        }
        left = left.slice(now.length);
      }
      if (this.#sinceTrim < TRIM_EVERY) return;
      this.#sinceTrim = 0;
      await this.#meta.trim(writer).catch(() => undefined);
    } catch {
      // The primary may be changing just now: in the order in which they came, later.
      this.#waiting = [...left, ...this.#waiting].slice(-WAITING_LIMIT);
    }
  }
}

/** What stands in the journal in place of a record that the table does not take; this process still has it. */
function dropped(error: unknown): (record: JournalRecord) => JournalRecord {
  const errno = Number((error as { errno?: unknown }).errno);
  return ({ at, kind, epoch }) => {
    const message = `A record of the kind ${kind} could not be written (error ${errno})`;
    return { opId: 'journal', at, kind: 'record-dropped', epoch, nodes: [], message };
  };
}
