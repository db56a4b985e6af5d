/**
 * Takes a list of keys from its server as fast as it comes, however slowly it is worked on. memcached writes a dump while it holds a
 * lock that answers to others wait for (seen with 1.6.18: nobody was answered for two seconds when the reader stood still; newer
 * ones keep what is not read in memory of their own), and makes no other dump until this one is read.
 */
import { Waiters } from '../common/waiters.js';

/** Keys that wait, in bytes, above which the source waits, too: about six million sessions. */
const MOST_BYTES = 256 * 1024 * 1024;
/** Lists that were taken, and are left out all at once: an array that loses its first element is moved. */
const TIDY_AFTER = 1_000;

/**
 * The lists of `source`, in their order; it is read on while the caller is busy. What it throws is thrown after the lists that came
 * before. No key may have a line feed in it.
 */
export async function* readAhead(
  source: AsyncIterable<readonly string[]>,
  mostBytes: number = MOST_BYTES,
): AsyncGenerator<readonly string[], void, void> {
  const ahead = new WaitingLists(mostBytes);
  const reading = read(source, ahead);
  // It is waited for at the end; until then nobody looks.
  reading.catch(() => undefined);
  try {
    for (let keys = await ahead.take(); keys !== undefined; keys = await ahead.take()) yield keys;
    await reading;
  } finally {
    ahead.stop();
  }
}

async function read(source: AsyncIterable<readonly string[]>, ahead: WaitingLists): Promise<void> {
  try {
    for await (const keys of source) if (!(await ahead.put(keys))) return;
  } finally {
    ahead.end();
  }
}

/** Lists that wait are kept as bytes: a string of its own for each of a million keys takes twice as much, and the collector's time. */
class WaitingLists {
  readonly #mostBytes: number;
  readonly #lists: Buffer[] = [];
  #first = 0;
  #bytes = 0;
  #over = false;
  #stopped = false;
  readonly #changes = new Waiters();

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** False when nobody wants more. */
  async put(keys: readonly string[]): Promise<boolean> {
    while (!this.#stopped && this.#bytes > this.#mostBytes) await this.#changes.wait();
    if (this.#stopped) return false;
    if (keys.length === 0) return true;
    const list = Buffer.from(keys.join('\n'));
    this.#lists.push(list);
    this.#bytes += list.length;
    this.#changes.wake();
    return true;
  }

  async take(): Promise<readonly string[] | undefined> {
    while (this.#first === this.#lists.length && !this.#over) await this.#changes.wait();
    const list = this.#lists[this.#first];
    if (list === undefined) return undefined;
    this.#bytes -= list.length;
    this.#first += 1;
    if (this.#first >= TIDY_AFTER) {
      this.#lists.splice(0, this.#first);
      this.#first = 0;
    }
    this.#changes.wake();
    return list.toString().split('\n');
  }

  end(): void {
    this.#over = true;
    this.#changes.wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#changes.wake();
  }
}
