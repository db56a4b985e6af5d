/** Steps over an array that nobody may ever look at, and makes sure that it can be read when somebody does. */
import type { ResolvedPhpLimits } from './php-limits.js';
import type { ValueReader } from './value-reader.js';

const ARRAY = 97;
const ZERO = 48;
const NINE = 57;
const QUOTE = 34;
const COLON = 58;
const SEMICOLON = 59;
const OPEN = 123;
const CLOSE = 125;
const MINUS = 45;
const DOT = 46;
/** Numbers of more digits have rules of their own. */
const MAX_DIGITS = 15;

/**
 * Steps over the array before which `reader` stands when it is of the common kind all through: null, booleans, numbers of up to
 * 15 digits, text, and arrays of them. For all else, errors included, the answer is false and nothing has happened, and the general
 * reader has to read it: that one would take whatever this one steps over, and end at the same place after as many slots.
 *
 * @param depth how deep the array itself is nested
 */
export function skipArray(reader: ValueReader, depth: number, limits: ResolvedPhpLimits): boolean {
  const { text, slotCount: slots } = reader;
  let at = reader.position;
  if (text.charCodeAt(at) !== ARRAY) return false;
  /** For each array that is open, how many elements are still to come. */
  const open: number[] = [];
  let left = -1;
  let slotCount = 0;
  for (;;) {
    if (left === 0) {
      if (text.charCodeAt(at) !== CLOSE) return false;
      at += 1;
      left = open.pop() ?? -1;
      if (left !== -1) continue;
      reader.position = at;
      reader.slotCount += slotCount;
      return true;
    }
    if (left > 0) {
      at = skipKey(text, at);
      if (at === -1) return false;
      left -= 1;
    }
    slotCount += 1;
    if (slots + slotCount > limits.maxValues) return false;
    if (text.charCodeAt(at) === ARRAY) {
      const digits = at + 2;
      const colon = skipDigits(text, digits);
      const count = numberOf(text, digits, colon);
      if (text.charCodeAt(at + 1) !== COLON || count === -1) return false;
      if (text.charCodeAt(colon) !== COLON || text.charCodeAt(colon + 1) !== OPEN) return false;
      at = colon + 2;
      // The bounds of the general reader, which has the words for what is beyond them.
      if (count > (text.length - at) / 2 || slots + slotCount + count > limits.maxValues) return false;
      if (count > 0 && depth + open.length >= limits.maxDepth) return false;
      open.push(left);
      left = count;
    } else {
      at = skipScalar(text, at);
      if (at === -1) return false;
    }
  }
}

function skipKey(text: string, at: number): number {
  if (text.charCodeAt(at + 1) !== COLON) return -1;
  const tag = text.charCodeAt(at);
  if (tag === 105) {
    const end = skipDigits(text, at + 2);
    return numberOf(text, at + 2, end) !== -1 && text.charCodeAt(end) === SEMICOLON ? end + 1 : -1;
  }
  return tag === 115 ? skipText(text, at + 2) : -1;
}

/** The offset behind the scalar at `at`, -1 when it is of another kind. */
function skipScalar(text: string, at: number): number {
  const tag = text.charCodeAt(at);
  if (tag === 78) return text.charCodeAt(at + 1) === SEMICOLON ? at + 2 : -1;
  if (text.charCodeAt(at + 1) !== COLON) return -1;
  if (tag === 115) return skipText(text, at + 2);
  if (tag === 98) {
    const digit = text.charCodeAt(at + 2);
    return (digit === ZERO || digit === ZERO + 1) && text.charCodeAt(at + 3) === SEMICOLON ? at + 4 : -1;
  }
  if (tag !== 105 && tag !== 100) return -1;
  const first = text.charCodeAt(at + 2) === MINUS ? at + 3 : at + 2;
  let end = skipDigits(text, first);
  if (numberOf(text, first, end) === -1) return -1;
  if (tag === 100 && text.charCodeAt(end) === DOT) {
    const fraction = end + 1;
    end = skipDigits(text, fraction, 2 * MAX_DIGITS);
    if (end === fraction) return -1;
  }
  return text.charCodeAt(end) === SEMICOLON ? end + 1 : -1;
}

/** The offset behind the text whose length begins at `at`, -1 when there is none. */
function skipText(text: string, at: number): number {
  const colon = skipDigits(text, at);
  const length = numberOf(text, at, colon);
  if (length === -1 || text.charCodeAt(colon) !== COLON || text.charCodeAt(colon + 1) !== QUOTE) return -1;
  const end = colon + 2 + length;
  return text.charCodeAt(end) === QUOTE && text.charCodeAt(end + 1) === SEMICOLON ? end + 2 : -1;
}

/** The offset behind the digits at `at`, of which there may be one more than `most`. */
function skipDigits(text: string, at: number, most = MAX_DIGITS): number {
  let end = at;
  for (let code = text.charCodeAt(end); code >= ZERO && code <= NINE; code = text.charCodeAt(end)) {
    if (end - at > most) break;
    end += 1;
  }
  return end;
}

/** The number between two offsets, -1 for one without digits or with too many. */
function numberOf(text: string, from: number, to: number): number {
  if (to === from || to - from > MAX_DIGITS) return -1;
  let value = 0;
  for (let at = from; at < to; at += 1) value = value * 10 + text.charCodeAt(at) - ZERO;
  return value;
}
