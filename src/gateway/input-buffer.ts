/** The bytes of one client that are not used up yet. It grows with what was sent, never with what was announced. */

const NONE: Buffer = Buffer.alloc(0);

/** Collects chunks; what it hands out stays as it is, whatever comes later. */
export class InputBuffer {
  #bytes: Buffer = NONE;
  #start = 0;
  #end = 0;
  #ours = false;
  #scanned = 0;
  #skip = 0;

  /** How many bytes are here. */
  get size(): number {
    return this.#end - this.#start;
  }

  /** How much memory they take, with the room for more. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** Whether bytes that come are thrown away. */
  get skipping(): boolean {
    return this.#skip > 0;
  }

  /** Takes the next chunk. */
  push(chunk: Buffer): void {
    let more = chunk;
    if (this.#skip > 0) {
      const gone = Math.min(this.#skip, chunk.length);
      this.#skip -= gone;
      if (gone === chunk.length) return;
      more = chunk.subarray(gone);
    }
    const left = this.size;
    if (left === 0) {
      this.#bytes = more;
      this.#start = 0;
      this.#end = more.length;
      this.#ours = false;
      return;
    }
    const needed = left + more.length;
    if (!this.#ours || this.#end + more.length > this.#bytes.length) {
      // Twice what is there: a client that sends byte by byte costs no more copies than one that does not.
      const grown = Buffer.allocUnsafe(Math.max(2 * left, needed, 1024));
      this.#bytes.copy(grown, 0, this.#start, this.#end);
      this.#bytes = grown;
      this.#start = 0;
      this.#end = left;
      this.#ours = true;
    }
    more.copy(this.#bytes, this.#end);
    this.#end += more.length;
  }

  /** The byte at `offset`. */
  byte(offset: number): number {
    return this.#bytes[this.#start + offset] ?? 0;
  }

  /** `count` bytes from `offset`, not used up. */
  peek(offset: number, count: number): Buffer {
    return this.#bytes.subarray(this.#start + offset, this.#start + offset + count);
  }

  /** Uses up `count` bytes. */
  take(count: number): Buffer {
    const taken = this.peek(0, count);
    this.drop(count);
    return taken;
  }

  /** Throws `count` bytes away, of which some may still be to come. */
  drop(count: number): void {
    this.#scanned = 0;
    const here = Math.min(count, this.size);
    this.#start += here;
    this.#skip += count - here;
    if (this.#start === this.#end) this.#release();
  }

  /** Where the first line feed is, or -1. Bytes that were looked at once are not looked at again. */
  lineFeed(): number {
    const found = this.#bytes.subarray(this.#start + this.#scanned, this.#end).indexOf(0x0a);
    if (found === -1) {
      this.#scanned = this.size;
      return -1;
    }
    return this.#scanned + found;
  }

  #release(): void {
    this.#bytes = NONE;
    this.#start = 0;
    this.#end = 0;
    this.#ours = false;
  }
}
