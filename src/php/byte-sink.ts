/** A growing buffer to write into. */
import { isWellFormed } from '../common/well-formed.js';
import { overLimit } from './php-limits.js';

const FIRST_SIZE = 16 * 1024;
const LARGEST_SPARE = 1024 * 1024;
const SHORT_STRING = 48;
const QUOTE = 34;
const COLON = 58;
const SEMICOLON = 59;

// Most documents are small and written one after the other: they share a buffer, and only the result is copied.
let spare: Buffer | undefined;

/** Collects bytes, up to a limit. */
export class ByteSink {
  readonly #maxBytes: number;
  #buffer: Buffer;
  #at = 0;

  /** Makes an empty sink that takes `maxBytes` bytes at most. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#buffer = spare ?? Buffer.allocUnsafeSlow(FIRST_SIZE);
    spare = undefined;
  }

  /** Everything written. The sink must not be used any more. */
  take(): Buffer {
    const result = Buffer.allocUnsafe(this.#at);
    this.#buffer.copy(result, 0, 0, this.#at);
    if (this.#buffer.length <= LARGEST_SPARE) spare = this.#buffer;
    return result;
  }

  /** Appends one byte. */
  byte(value: number): void {
    this.room(1);
    this.#buffer[this.#at] = value;
    this.#at += 1;
  }

  /** Appends ASCII text. */
  ascii(text: string): void {
    const { length } = text;
    this.room(length);
    const buffer = this.#buffer;
    const at = this.#at;
    for (let index = 0; index < length; index += 1) buffer[at + index] = text.charCodeAt(index);
    this.#at = at + length;
  }

  /** Appends bytes. */
  bytes(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Appends text as UTF-8 that takes `length` bytes. */
  utf8(text: string, length: number): void {
    this.room(length);
    this.#buffer.write(text, this.#at, length === text.length ? 'latin1' : 'utf8');
    this.#at += length;
  }

  /** Appends `i:<value>;` for an integer within 2^53. */
  integer(value: number): void {
    this.room(20);
    const buffer = this.#buffer;
    buffer[this.#at] = 105;
    buffer[this.#at + 1] = COLON;
    this.#at += 2;
    this.#digits(value);
    buffer[this.#at] = SEMICOLON;
    this.#at += 1;
  }

  /** Appends `i:<index>;i:<value>;`, the element of a list, for a value that is not negative. */
  element(index: number, value: number): void {
    this.room(40);
    const buffer = this.#buffer;
    let at = this.#at;
    buffer[at] = 105;
    buffer[at + 1] = COLON;
    this.#at = at + 2;
    this.#digits(index);
    at = this.#at;
    buffer[at] = SEMICOLON;
    buffer[at + 1] = 105;
    buffer[at + 2] = COLON;
    this.#at = at + 3;
    this.#digits(value);
    buffer[this.#at] = SEMICOLON;
    this.#at += 1;
  }

  /** Appends `d:<text>;`. */
  float(text: string): void {
    this.room(text.length + 3);
    this.#buffer[this.#at] = 100;
    this.#buffer[this.#at + 1] = COLON;
    this.#at += 2;
    this.ascii(text);
    this.#buffer[this.#at] = SEMICOLON;
    this.#at += 1;
  }

  /** Appends `<count>:{`. */
  count(count: number): void {
    this.room(20);
    this.#digits(count);
    this.#buffer[this.#at] = COLON;
    this.#buffer[this.#at + 1] = 123;
    this.#at += 2;
  }

  /** Appends `s:<length>:"<text>";`; false, with nothing appended, where the text is not Unicode. */
  string(text: string): boolean {
    const { length } = text;
    if (length <= SHORT_STRING && this.#shortString(text, length)) return true;
    const size = Buffer.byteLength(text, 'utf8');
    if (size !== length && !isWellFormed(text)) return false;
    this.ascii(`s:${size}:"`);
    this.utf8(text, size);
    this.ascii('";');
    return true;
  }

  /** Makes room for `size` more bytes. */
  room(size: number): void {
    if (this.#at + size > this.#buffer.length) this.#grow(this.#at + size);
  }

  #shortString(text: string, length: number): boolean {
    this.room(length + 8);
    const buffer = this.#buffer;
    let at = this.#at;
    buffer[at] = 115;
    buffer[at + 1] = COLON;
    at += 2;
    if (length > 9) {
      const tens = (length / 10) | 0;
      buffer[at] = 48 + tens;
      buffer[at + 1] = 48 + length - tens * 10;
      at += 2;
    } else {
      buffer[at] = 48 + length;
      at += 1;
    }
    buffer[at] = COLON;
    buffer[at + 1] = QUOTE;
    at += 2;
    for (let index = 0; index < length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 127) return false;
      buffer[at + index] = code;
    }
    at += length;
    buffer[at] = QUOTE;
    buffer[at + 1] = SEMICOLON;
    this.#at = at + 2;
    return true;
  }

  #digits(value: number): void {
    if (value > 0x3fffffff || value < 0) {
      this.ascii(String(value));
      return;
    }
    const buffer = this.#buffer;
    let length = value < 10 ? 1 : value < 100 ? 2 : value < 1000 ? 3 : value < 10_000 ? 4 : 5;
    for (let power = 100_000; power <= value; power *= 10) length += 1;
    let rest = value;
    for (let at = this.#at + length - 1; at >= this.#at; at -= 1) {
      const next = (rest / 10) | 0;
      buffer[at] = 48 + rest - next * 10;
      rest = next;
    }
    this.#at += length;
  }

  #grow(needed: number): void {
    if (needed > this.#maxBytes) throw overLimit('The encoded value is too long', this.#maxBytes, 'maxBytes');
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}
