/** The fast lane of the reader: element after element of an array, as long as keys and values are simple. */

import type { ContainerFrame } from './container-frame.js';
import { cachedKey } from './key-cache.js';
import type { TokenReader } from './token-reader.js';

const ZERO = 48;
const NINE = 57;
const QUOTE = 34;
const COLON = 58;
const SEMICOLON = 59;

/**
 * Reads elements into `frame` up to the first one that is not of the common kind, before whose key the reader then
 * stands: the general reader takes over there, and it is the one that knows what is an error.
 *
 * It takes unsigned integer keys and short ASCII names, null, booleans, integers and floats of up to 15 digits, and
 * text of ASCII. Everything is local to one loop; that is what makes it fast.
 */
export function readScalarRun(reader: TokenReader, frame: ContainerFrame): void {
  const { text } = reader;
  const plain = reader.ascii && !reader.isLong;
  let at = reader.position;
  let left = frame.remaining;
  while (left > 0) {
    let cursor = at;
    let name: string | undefined;
    let index = 0;
    let code = text.charCodeAt(cursor + 2);
    if (text.charCodeAt(cursor + 1) !== COLON || !(code >= ZERO && code <= NINE)) break;
    const keyTag = text.charCodeAt(cursor);
    cursor += 2;
    const digits = cursor;
    while (code >= ZERO && code <= NINE) {
      index = index * 10 + code - ZERO;
      cursor += 1;
      code = text.charCodeAt(cursor);
    }
    if (cursor - digits > 15) break;
    if (keyTag === 105) {
      if (code !== SEMICOLON) break;
      cursor += 1;
    } else {
      const start = cursor + 2;
      const end = start + index;
      if (keyTag !== 115 || code !== COLON || text.charCodeAt(cursor + 1) !== QUOTE) break;
      if (text.charCodeAt(end) !== QUOTE || text.charCodeAt(end + 1) !== SEMICOLON) break;
      name = cachedKey(text, start, end);
      if (name === undefined) break;
      cursor = end + 2;
    }

    let value: unknown;
    const tag = text.charCodeAt(cursor);
    const colon = text.charCodeAt(cursor + 1);
    cursor += 2;
    code = text.charCodeAt(cursor);
    if (tag === 78 && colon === SEMICOLON) {
      value = null;
    } else if (colon !== COLON) {
      break;
    } else if (tag === 115) {
      const first = cursor;
      let length = 0;
      while (code >= ZERO && code <= NINE) {
        length = length * 10 + code - ZERO;
        cursor += 1;
        code = text.charCodeAt(cursor);
      }
      if (code !== COLON || cursor === first || cursor - first > 9) break;
      const start = cursor + 2;
      const end = start + length;
      if (text.charCodeAt(cursor + 1) !== QUOTE || text.charCodeAt(end) !== QUOTE) break;
      if (text.charCodeAt(end + 1) !== SEMICOLON) break;
      if (plain) value = text.slice(start, end);
      else value = reader.string(start, end);
      cursor = end + 2;
    } else if (tag === 105 || tag === 100) {
      const first = cursor;
      const negative = code === 45;
      if (negative) {
        cursor += 1;
        code = text.charCodeAt(cursor);
      }
      let number = 0;
      while (code >= ZERO && code <= NINE) {
        number = number * 10 + code - ZERO;
        cursor += 1;
        code = text.charCodeAt(cursor);
      }
      const count = cursor - first;
      if (count > 15 || (negative ? count < 2 : count < 1)) break;
      if (tag === 105) {
        if (code !== SEMICOLON) break;
        value = negative && number !== 0 ? -number : number;
      } else {
        // A float without a fraction has a form of its own.
        if (code !== 46) break;
        cursor += 1;
        code = text.charCodeAt(cursor);
        const fraction = cursor;
        while (code >= ZERO && code <= NINE) {
          cursor += 1;
          code = text.charCodeAt(cursor);
        }
        if (code !== SEMICOLON || cursor === fraction) break;
        number = Number(text.slice(first, cursor));
        if (Number.isInteger(number)) break;
        value = number;
      }
      cursor += 1;
    } else if (
      tag === 98 &&
      (code === ZERO || code === ZERO + 1) &&
      text.charCodeAt(cursor + 1) === SEMICOLON
    ) {
      value = code !== ZERO;
      cursor += 2;
    } else {
      break;
    }

    if (name === undefined) frame.addInteger(index, value);
    else frame.addText(name, value);
    at = cursor;
    left -= 1;
  }
  reader.position = at;
  frame.remaining = left;
}
