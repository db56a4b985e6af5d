/** Cuts what a server sends into whole answers, and refuses what no memcached sends before it is kept in memory. */

/** Bytes of the header of an answer. */
const HEADER_BYTES = 24;

const ANSWER_MAGIC = 0x81;
const MAX_PARTS = 256;

/** What is wrong with the bytes that a peer sent. */
export interface FrameFault {
  /** `'magic'`: not the binary protocol at all; `'length'`: lengths that contradict each other or the limit. */
  readonly kind: 'magic' | 'length';
  /** The bytes where the trouble is, for a guess at what the peer is. */
  readonly bytes: Buffer;
}

/** Collects chunks and hands out whole answers in order. */
export class ResponseFrames {
  /** Answers with a longer body are refused. */
  bodyLimit: number;
  #parts: Buffer[] = [];
  #size = 0;
  #needed = HEADER_BYTES;

  /** @param bodyLimit longest body in bytes */
  constructor(bodyLimit: number) {
    this.bodyLimit = bodyLimit;
  }

  /**
   * Takes the next chunk and calls `each` with the place of every answer that is whole now; `each` returns false to stop for good.
   *
   * @returns what is wrong, or undefined.
   */
  push(chunk: Buffer, each: (bytes: Buffer, start: number, end: number) => boolean): FrameFault | undefined {
    let data = chunk;
    if (this.#size > 0) {
      this.#keep(chunk);
      if (this.#size < this.#needed) {
        // The first byte tells a foreign peer that says less than a header.
        return this.#parts[0]?.[0] === ANSWER_MAGIC ? undefined : { kind: 'magic', bytes: this.#joined() };
      }
      data = this.#joined();
      this.#parts = [];
      this.#size = 0;
    }
    let at = 0;
    this.#needed = HEADER_BYTES;
    while (data.length > at) {
      if (data[at] !== ANSWER_MAGIC) return { kind: 'magic', bytes: data.subarray(at, at + 256) };
      if (data.length - at < HEADER_BYTES) break;
      const body = data.readUInt32BE(at + 8);
      const keyAndExtras = data.readUInt16BE(at + 2) + data.readUInt8(at + 4);
      if (body > this.bodyLimit || keyAndExtras > body) {
        return { kind: 'length', bytes: data.subarray(at, at + HEADER_BYTES) };
      }
      const end = at + HEADER_BYTES + body;
      if (end > data.length) {
        this.#needed = HEADER_BYTES + body;
        break;
      }
      if (!each(data, at, end)) return undefined;
      at = end;
    }
    if (at < data.length) this.#keep(at === 0 ? data : data.subarray(at));
    return undefined;
  }

  #keep(part: Buffer): void {
    // A peer that sends byte by byte must not cost a hundred times what it sends.
    if (this.#parts.length >= MAX_PARTS) this.#parts = [this.#joined()];
    this.#parts.push(part);
    this.#size += part.length;
  }

  #joined(): Buffer {
    const [first] = this.#parts;
    return this.#parts.length === 1 && first !== undefined ? first : Buffer.concat(this.#parts, this.#size);
  }
}
