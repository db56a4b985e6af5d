/**
 * Sessions whose id was replaced. They stay for a moment: a browser sends several requests at once, and those that left it
 * before it learnt the new id would find nothing, begin a session of their own, and put its cookie over the new one.
 *
 * A note in the store tells every process: the old session ends with the new one, and nobody gives it a longer life.
 */
import type { CallOptions } from '../common/deadline.js';
import { decodeRetiredNote, type RetiredNote } from './retired-note.js';

/** What is done with sessions that were replaced. */
export interface RetiredSessionsPort {
  /** Stores a note. */
  note(id: string, note: RetiredNote, options?: CallOptions): Promise<unknown>;
  /** Removes a session and its note. */
  destroy(id: string, options?: CallOptions): Promise<void>;
  /** Lets a session end by itself, should this process not live to remove it. */
  shorten(id: string, remainingMs: number, options?: CallOptions): Promise<void>;
  /** Whether the store holds a session, after `followed` others that were replaced. */
  holds(id: string, followed: number, options?: CallOptions): Promise<boolean>;
}

interface Retired extends RetiredNote {
  readonly id: string;
  /** Whether this process removes it. */
  readonly own: boolean;
  readonly timer: NodeJS.Timeout;
}

/** Ids that took each other's place within one grace; more is no chain that anybody made by logging in. */
const MAX_FOLLOWED = 16;
const LONGEST_TIMER_MS = 2_147_483_647;

/** See the head of this file. */
export class RetiredSessions {
  readonly #port: RetiredSessionsPort;
  readonly #retired = new Map<string, Retired>();
  readonly #bySuccessor = new Map<string, Retired>();
  readonly #removals = new Set<Promise<void>>();

  /** Notes, removes and looks through `port`. */
  constructor(port: RetiredSessionsPort) {
    this.#port = port;
  }

  /** Removes a session `graceMs` from now, whoever uses it meanwhile; 0 removes it at once. */
  async retire(id: string, successor: string, graceMs: number, options?: CallOptions): Promise<void> {
    if (graceMs === 0) {
      await this.#port.destroy(id, options);
      return;
    }
    const note = { successor, endsAt: Date.now() + graceMs };
    await this.#port.note(id, note, options);
    await this.#port.shorten(id, graceMs, options);
    this.#remember(id, note, true);
  }

  /**
   * Whether a session is over, because the id that replaced it is gone or its moment has passed, by the note that the store
   * holds about it; it is then removed soon. Errors: of the port.
   *
   * @param followed how many replaced sessions were looked at on the way to this one
   */
  async isOver(id: string, bytes: Buffer, followed: number, options?: CallOptions): Promise<boolean> {
    const note = decodeRetiredNote(bytes);
    if (note === undefined) return false;
    const goesOn =
      note.endsAt > Date.now() &&
      followed < MAX_FOLLOWED &&
      (await this.#port.holds(note.successor, followed + 1, options));
    if (goesOn) {
      if (!this.#retired.has(id)) this.#remember(id, note, false);
      return false;
    }
    // Not waited for: whoever asks may hold its lock.
    void this.#remove(id);
    return true;
  }

  /** When a session ends that was replaced, in milliseconds since 1970; undefined for every other, as far as this process knows. */
  endOf(id: string): number | undefined {
    return this.#retired.get(id)?.endsAt;
  }

  /** The sessions that `id` replaced and that are still there: whoever logs out of it logs out of them. */
  take(id: string): readonly string[] {
    const taken: string[] = [];
    for (let before = this.#bySuccessor.get(id); before !== undefined; ) {
      this.#forget(before);
      taken.push(before.id);
      before = this.#bySuccessor.get(before.id);
    }
    return taken;
  }

  /** Removes all that this process replaced, now. Never rejects. */
  async close(): Promise<void> {
    for (const retired of [...this.#retired.values()]) {
      if (retired.own) void this.#remove(retired.id);
      else this.#forget(retired);
    }
    await Promise.all(this.#removals);
  }

  #remember(id: string, note: RetiredNote, own: boolean): void {
    const known = this.#retired.get(id);
    if (known !== undefined) this.#forget(known);
    const waitMs = Math.min(Math.max(note.endsAt - Date.now(), 0), LONGEST_TIMER_MS);
    const over = (): void => {
      if (own) void this.#remove(id);
      else this.#forget(retired);
    };
    const retired: Retired = { id, ...note, own, timer: setTimeout(over, waitMs).unref() };
    this.#retired.set(id, retired);
    this.#bySuccessor.set(note.successor, retired);
  }

  /** Never rejects: what could not be removed was shortened, and ends by itself. */
  #remove(id: string): Promise<void> {
    const known = this.#retired.get(id);
    if (known !== undefined) this.#forget(known);
    const removal: Promise<void> = this.#port.destroy(id).catch(() => undefined);
    this.#removals.add(removal);
    return removal.then(() => void this.#removals.delete(removal));
  }

  #forget(retired: Retired): void {
    clearTimeout(retired.timer);
    if (this.#retired.get(retired.id) === retired) this.#retired.delete(retired.id);
    if (this.#bySuccessor.get(retired.successor) === retired) this.#bySuccessor.delete(retired.successor);
  }
}
