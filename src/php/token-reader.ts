/** Reads the scalars of PHP's serialization format from bytes, and knows where it is. */
import { isAscii, isUtf8 } from 'node:buffer';
import type { StormlampError } from '../common/stormlamp-error.js';
import { PhpFloat } from './php-float.js';
import { phpSyntaxError } from './php-syntax-error.js';

const FLOAT = /^(?:[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)$/;
const INT64_MAX = 9223372036854775807n;
/** Up to here a part that somebody keeps may keep the whole text, which is faster. */
const LONG_BYTES = 65_536;
const QUOTE = 34;
const COLON = 58;
const SEMICOLON = 59;

/** A cursor over the input; every method throws `ERR_PHP_SYNTAX` when the bytes are not what it reads. */
export class TokenReader {
  /** Offset of the next byte. */
  position = 0;
  /** The input. */
  readonly bytes: Buffer;
  /** The input with one character per byte. */
  readonly text: string;
  /** Whether all of the input is ASCII. */
  readonly ascii: boolean;
  /** Whether parts of the text are copies: a part that is kept would keep all of it, which is much for a short name. */
  readonly isLong: boolean;
  readonly #delimited: boolean;
  #utf8: boolean | undefined;

  /** Makes a reader that stands at the first byte. `delimited` says that ASCII stands around all text. */
  constructor(bytes: Buffer, delimited: boolean) {
    this.#delimited = delimited;
    this.bytes = bytes;
    this.text = bytes.toString('latin1');
    this.ascii = isAscii(bytes);
    this.isLong = bytes.length > LONG_BYTES;
  }

  /** `0;` or `1;`. */
  boolean(): boolean {
    const digit = this.text.charCodeAt(this.position);
    if (digit !== 48 && digit !== 49) throw this.syntax('0 or 1');
    this.position += 1;
    this.expect(SEMICOLON, 'a semicolon');
    return digit === 49;
  }

  /** Digits with an optional sign up to `;`; what does not fit 64 bits is clamped, as PHP does. */
  integer(): number | bigint {
    const { text } = this;
    const start = this.position;
    let at = start;
    let code = text.charCodeAt(at);
    const negative = code === 45;
    if (negative || code === 43) {
      at += 1;
      code = text.charCodeAt(at);
    }
    const first = at;
    let value = 0;
    while (code >= 48 && code <= 57) {
      value = value * 10 + code - 48;
      at += 1;
      code = text.charCodeAt(at);
    }
    this.position = at;
    if (at === first) throw this.syntax('digits');
    if (code !== SEMICOLON) throw this.syntax('a semicolon');
    this.position = at + 1;
    // 15 digits are exact whatever they are; more may not be.
    if (at - first > 15) return bigInteger(text, first, at, negative);
    return negative && value !== 0 ? -value : value;
  }

  /** A float up to `;`. */
  float(): number | PhpFloat {
    const { text } = this;
    const start = this.position;
    const end = text.indexOf(';', start);
    const written = end === -1 || end - start > 400_000 ? '' : text.slice(start, end);
    this.position = end + 1;
    if (FLOAT.test(written)) {
      const value = Number(written);
      return Number.isInteger(value) ? new PhpFloat(value) : value;
    }
    if (written === 'NAN') return Number.NaN;
    if (written === 'INF') return Number.POSITIVE_INFINITY;
    if (written === '-INF') return Number.NEGATIVE_INFINITY;
    this.position = start;
    throw this.syntax('a float');
  }

  /** Reads `<length>:"`, checks that the string ends as it must, and gives back where it ends. */
  quoted(after: number): number {
    const length = this.digits();
    this.expect(COLON, 'a colon');
    this.expect(QUOTE, 'an opening quote');
    const end = this.position + length;
    if (end >= this.text.length) throw this.syntax(`${length} more bytes`);
    if (this.text.charCodeAt(end) !== QUOTE || this.text.charCodeAt(end + 1) !== after) {
      this.position = end;
      throw this.syntax('the closing quote that the length announced');
    }
    return end;
  }

  /** The old `S:` string, in which `\hh` stands for a byte. */
  escapedString(): string | Buffer {
    const length = this.digits();
    this.expect(COLON, 'a colon');
    this.expect(QUOTE, 'an opening quote');
    if (length > this.text.length - this.position) throw this.syntax(`${length} more bytes`);
    const result = Buffer.allocUnsafe(length);
    for (let index = 0; index < length; index += 1) {
      let code = this.text.charCodeAt(this.position);
      this.position += 1;
      if (code === 92) {
        const hex = this.text.slice(this.position, this.position + 2);
        if (!/^[0-9a-fA-F]{2}$/.test(hex)) throw this.syntax('two hexadecimal digits');
        code = Number.parseInt(hex, 16);
        this.position += 2;
      }
      if (Number.isNaN(code)) throw this.syntax('the rest of the string');
      result[index] = code;
    }
    this.expect(QUOTE, 'a closing quote');
    this.expect(SEMICOLON, 'a semicolon');
    return isUtf8(result) ? result.toString('utf8') : result;
  }

  /** The bytes between two offsets: text when they are UTF-8, else a copy. */
  string(start: number, end: number): string | Buffer {
    const text = this.isLong ? this.bytes.toString('latin1', start, end) : this.text.slice(start, end);
    if (this.ascii || !hasHighByte(text)) return text;
    // Between two quotes inside of what is UTF-8 as a whole there is UTF-8.
    this.#utf8 ??= this.#delimited && isUtf8(this.bytes);
    if (this.#utf8) return this.bytes.toString('utf8', start, end);
    const part = this.bytes.subarray(start, end);
    return isUtf8(part) ? part.toString('utf8') : Buffer.from(part);
  }

  /** A number without sign, for lengths and counts. */
  digits(): number {
    const { text } = this;
    const start = this.position;
    let at = start;
    let value = 0;
    for (let code = text.charCodeAt(at); code >= 48 && code <= 57; code = text.charCodeAt(at)) {
      value = value * 10 + code - 48;
      at += 1;
    }
    if (at === start) throw this.syntax('digits');
    this.position = at;
    return value;
  }

  /** A count with an optional sign and possibly no digits at all, as PHP reads it behind a class name. */
  signedDigits(): number {
    const sign = this.text.charCodeAt(this.position);
    if (sign === 45 || sign === 43) this.position += 1;
    const code = this.text.charCodeAt(this.position);
    const value = code >= 48 && code <= 57 ? this.digits() : 0;
    if (sign === 45 && value !== 0) throw this.syntax('a count that is not negative');
    return value;
  }

  /** Steps over one byte, which must be `code`. */
  expect(code: number, what: string): void {
    if (this.text.charCodeAt(this.position) !== code) throw this.syntax(what);
    this.position += 1;
  }

  /** The error of a byte at the present place that is not `expected`. */
  syntax(expected: string): StormlampError {
    return phpSyntaxError(expected, this.position, this.bytes.length);
  }
}

function hasHighByte(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) > 127) return true;
  }
  return false;
}

function bigInteger(text: string, from: number, to: number, negative: boolean): number | bigint {
  let first = from;
  while (first < to - 1 && text.charCodeAt(first) === 48) first += 1;
  // PHP clamps what does not fit.
  const size = to - first > 19 ? INT64_MAX + 1n : BigInt(text.slice(first, to));
  const clamped = negative
    ? size > INT64_MAX + 1n
      ? INT64_MAX + 1n
      : size
    : size > INT64_MAX
      ? INT64_MAX
      : size;
  const value = negative ? -clamped : clamped;
  return value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER)
    ? Number(value)
    : value;
}
