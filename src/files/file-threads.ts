/**
 * The threads that file calls of this process run in: libuv's pool (4 unless `UV_THREADPOOL_SIZE` says more), which look-ups of
 * names and all other files share. Calls on mounts may occupy all of them but one, whatever hangs, and every mount its share.
 */

/** Who has calls that wait for a thread. */
export interface ThreadUser {
  /** A thread became free. */
  wake(): void;
  /** No thread will become free until a call comes back that hangs. */
  starve(): void;
}

/** The threads of libuv's pool. */
export function poolThreads(env: Readonly<Record<string, string | undefined>> = process.env): number {
  const threads = Number.parseInt(env['UV_THREADPOOL_SIZE'] ?? '', 10);
  return Number.isNaN(threads) ? 4 : Math.min(1024, Math.max(1, threads));
}

/** See the head of this file. */
export class FileThreads {
  readonly #size: number;
  readonly #users = new Set<ThreadUser>();
  #taken = 0;
  #hung = 0;

  /** @param threads how many there are in all */
  constructor(threads: number) {
    this.#size = Math.max(1, threads - 1);
  }

  /** Calls that one of the mounts may have under way at a time. */
  get share(): number {
    return Math.max(1, Math.floor(this.#size / Math.max(1, this.#users.size)));
  }

  /** Whether every thread that there is for mounts hangs. */
  get starved(): boolean {
    return this.#hung >= this.#size;
  }

  /** Takes part from now on. */
  join(user: ThreadUser): void {
    this.#users.add(user);
  }

  /** Takes no part any more. */
  leave(user: ThreadUser): void {
    this.#users.delete(user);
  }

  /** Takes a thread, if one is free. */
  take(): boolean {
    if (this.#taken >= this.#size) return false;
    this.#taken += 1;
    return true;
  }

  /** Gives a thread back, to whoever waited longest for a turn. */
  give(): void {
    this.#taken -= 1;
    for (const user of [...this.#users]) {
      if (this.#taken >= this.#size) return;
      const before = this.#taken;
      user.wake();
      if (this.#taken === before) continue;
      this.#users.delete(user);
      this.#users.add(user);
    }
  }

  /** A call that has a thread does not come back. */
  hang(): void {
    this.#hung += 1;
    if (this.starved) for (const user of this.#users) user.starve();
  }

  /** It came back after all. */
  comeBack(): void {
    this.#hung -= 1;
  }
}

/** Those of this process. */
export const fileThreads: FileThreads = new FileThreads(poolThreads());
