/**
 * One answer of the binary protocol, read where it lies among what arrived: nothing is cut out or copied before it is asked for,
 * since most answers are a status and nothing else.
 */

const HEADER_BYTES = 24;
/** What `flags` are when the answer has fields of another size. */
export const NO_FLAGS = -1;

/** An answer, or one part of it when the command is answered in several. */
export class WireResponse {
  /** The command that is answered. */
  readonly opcode: number;
  /** How it went. */
  readonly status: number;
  /** Bytes behind the header. */
  readonly totalBodyLength: number;
  /** The number of the request. */
  readonly opaque: number;
  readonly #bytes: Buffer;
  readonly #start: number;

  /** Reads the header at `start` of `bytes`, which hold the whole answer. */
  constructor(bytes: Buffer, start: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.opcode = bytes[start + 1] ?? 0;
    this.status = bytes.readUInt16BE(start + 6);
    this.totalBodyLength = bytes.readUInt32BE(start + 8);
    this.opaque = bytes.readUInt32BE(start + 12);
  }

  /** Where memjs looks for them. */
  get header(): this {
    return this;
  }

  /** The version of the item. */
  get cas(): bigint {
    const high = this.#bytes.readUInt32BE(this.#start + 16);
    const low = this.#bytes.readUInt32BE(this.#start + 20);
    // Up to 2^53 a number holds it, from which a bigint is made in one step.
    return high < 0x20_0000 ? BigInt(high * 0x1_0000_0000 + low) : (BigInt(high) << 32n) | BigInt(low);
  }

  /** The client flags of an item; {@link NO_FLAGS} when the answer has none. */
  get flags(): number {
    return this.#extrasLength === 4 ? this.#bytes.readUInt32BE(this.#start + HEADER_BYTES) : NO_FLAGS;
  }

  /** The key; of a statistic its name. */
  get key(): Buffer {
    const at = this.#start + HEADER_BYTES + this.#extrasLength;
    return this.#bytes.subarray(at, at + this.#keyLength);
  }

  /** The value. */
  get value(): Buffer {
    const at = this.#start + HEADER_BYTES + this.#extrasLength + this.#keyLength;
    return this.#bytes.subarray(at, this.#start + HEADER_BYTES + this.totalBodyLength);
  }

  get #keyLength(): number {
    return this.#bytes.readUInt16BE(this.#start + 2);
  }

  get #extrasLength(): number {
    return this.#bytes[this.#start + 4] ?? 0;
  }
}
