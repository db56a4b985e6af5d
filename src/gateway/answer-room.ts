/**
 * The memory that answers take which clients have asked for and not read yet, all clients together. Who asks for many items waits until
 * there is room for the largest answers there may be; where what is not read makes it short, clients that read nothing are closed before
 * their time is over. Room that is kept for answers which are yet to come closes nobody: it is given back when they are there.
 *
 * Requests of which a part is here have a room of the same kind: there it is clients that send nothing more which are closed.
 */
import type { AttentiveClock } from './attentive-clock.js';

/** A client whose answers wait for it, or the part of whose request. */
export interface UnreadClient {
  /** Since when nothing was read, or sent, by the room's clock. */
  readonly since: number;
  /** Closes it. */
  readonly giveUp: () => void;
}

/** So long a client may read nothing while there is no room. */
const PATIENCE_MS = 1_000;
const LOOK_MS = 100;

/** See the head of this file. */
export class AnswerRoom {
  readonly #bytes: number;
  readonly #clock: Pick<AttentiveClock, 'now'>;
  readonly #waiting: { readonly bytes: number; readonly enter: () => void }[] = [];
  readonly #unread = new Map<UnreadClient, number>();
  #unreadBytes = 0;
  #used = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param bytes how much there is */
  constructor(bytes: number, clock: Pick<AttentiveClock, 'now'>) {
    this.#bytes = bytes;
    this.#clock = clock;
  }

  /** What is taken now, in bytes. */
  get used(): number {
    return this.#used;
  }

  /** Resolves when there is room for `bytes`, in the order of asking; to be given back by `leave`. */
  async enter(bytes: number): Promise<void> {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) {
      await new Promise<void>((enter) => {
        this.#waiting.push({ bytes, enter });
        this.#watch();
      });
      return;
    }
    this.#used += bytes;
  }

  /** Gives back what was entered with. */
  leave(bytes: number): void {
    this.#used -= bytes;
    this.#admit();
  }

  /** `bytes` of answers wait for `client` from now on; to be taken back by `read`. */
  wait(client: UnreadClient, bytes: number): void {
    this.#unread.set(client, bytes);
    this.#unreadBytes += bytes;
    this.#used += bytes;
    if (this.#isCrowded) this.#watch();
  }

  /** `client` has read some, or is gone. */
  read(client: UnreadClient): void {
    const bytes = this.#unread.get(client) ?? 0;
    this.#unread.delete(client);
    this.#unreadBytes -= bytes;
    this.#used -= bytes;
    this.#admit();
  }

  get #isCrowded(): boolean {
    return this.#waiting.length > 0 || this.#used > this.#bytes;
  }

  /** Whether it is what clients do not read that makes it crowded. */
  get #isBlocked(): boolean {
    const next = this.#waiting[0]?.bytes ?? 0;
    const most = Math.min(this.#bytes / 2, Math.max(0, this.#bytes - next));
    return this.#isCrowded && this.#unreadBytes > most;
  }

  // One that wants more than there is has it all.
  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.#bytes;
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#used += next.bytes;
      next.enter();
    }
  }

  #watch(): void {
    this.#timer ??= setInterval(() => this.#makeRoom(), LOOK_MS).unref();
  }

  #makeRoom(): void {
    const late = this.#clock.now() - PATIENCE_MS;
    const largest = [...this.#unread]
      .filter(([{ since }]) => since <= late)
      .sort(([, one], [, other]) => other - one);
    for (const [client] of largest) {
      if (!this.#isBlocked) break;
      client.giveUp();
      this.read(client);
    }
    if (this.#isCrowded) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
