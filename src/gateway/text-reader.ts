/** Cuts what a client of the text protocol sends into requests. */
import type { GatewayRequest, ReaderLimits, RequestReader } from './gateway-request.js';
import type { InputBuffer } from './input-buffer.js';
import { TOO_LONG } from './text-answers.js';
import { readTextLine, type StoreLine, storeRequest } from './text-command.js';

/** No line is nearly as long but those that name many keys. memcached closes a line whose first kilobytes have no end. */
const LINE_LIMIT = 8_192;
/** memcached lets a `get` be as long as it likes; PHP's `getMulti` sends all keys of a server in one. */
const KEYS_LINE_LIMIT = 1_048_576;
const MANY_KEYS = ['get ', 'gets ', 'gat ', 'gats '].map((word) => Buffer.from(word));
const BAD_CHUNK = Buffer.from('CLIENT_ERROR bad data chunk\r\n');

/** Reads lines, and the values that follow some of them. */
export class TextReader implements RequestReader {
  readonly #input: InputBuffer;
  readonly #limits: ReaderLimits;
  #awaited: StoreLine | undefined;

  /** Reads from `input`. */
  constructor(input: InputBuffer, limits: ReaderLimits) {
    this.#input = input;
    this.#limits = limits;
  }

  get midway(): boolean {
    return this.#awaited !== undefined || this.#input.size > 0 || this.#input.skipping;
  }

  next(): GatewayRequest | undefined {
    if (this.#awaited !== undefined) return this.#value(this.#awaited);
    const end = this.#input.lineFeed();
    const length = end === -1 ? this.#input.size : end;
    if (length > LINE_LIMIT && length > this.#lineLimit())
      return { kind: 'end', answer: TOO_LONG, fault: `a line of more than ${this.#lineLimit()} bytes` };
    if (end === -1) return undefined;
    const bytes = this.#input.take(end + 1);
    const text = end > 0 && bytes[end - 1] === 0x0d ? end - 1 : end;
    const read = readTextLine(bytes.subarray(0, text), this.#limits);
    if ('kind' in read) return read;
    if ('refusal' in read) {
      this.#input.drop(read.length + 2);
      return { kind: 'plain', answer: read.refusal };
    }
    this.#awaited = read;
    return this.#value(read);
  }

  #lineLimit(): number {
    const names = MANY_KEYS.some((word) => this.#input.peek(0, word.length).equals(word));
    return names ? KEYS_LINE_LIMIT : LINE_LIMIT;
  }

  #value(line: StoreLine): GatewayRequest | undefined {
    const { length } = line;
    if (this.#input.size < length + 2) return undefined;
    this.#awaited = undefined;
    const bytes = this.#input.take(length + 2);
    // As memcached does: the two bytes are used up, whatever they are, and what follows is the next command.
    if (bytes[length] !== 0x0d || bytes[length + 1] !== 0x0a)
      return { kind: 'plain', answer: line.quiet ? undefined : BAD_CHUNK };
    return storeRequest(line, bytes.subarray(0, length));
  }
}
