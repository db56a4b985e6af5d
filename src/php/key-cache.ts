/** Remembers the short names that come again and again, as the very strings that JavaScript keeps for property names. */

const SIZE = 1024;
const LONGEST = 32;

const cache: (string | undefined)[] = new Array<string | undefined>(SIZE).fill(undefined);

/**
 * The part of `text` (one character per byte) between two offsets when all of it is ASCII, else undefined. Names are
 * the same few in most data, and comparing characters is cheaper than making a string and looking up its twin.
 */
export function cachedKey(text: string, from: number, to: number): string | undefined {
  const length = to - from;
  if (length === 0 || length > LONGEST) return undefined;
  const slot =
    (length * 131 +
      text.charCodeAt(from) * 31 +
      text.charCodeAt(to - 1) * 7 +
      text.charCodeAt(from + (length >> 1))) &
    (SIZE - 1);
  const known = cache[slot];
  if (known !== undefined && known.length === length) {
    let index = 0;
    while (index < length && known.charCodeAt(index) === text.charCodeAt(from + index)) index += 1;
    if (index === length) return known;
  }
  for (let at = from; at < to; at += 1) if (text.charCodeAt(at) > 127) return undefined;
  const name = propertyName(text.slice(from, to));
  cache[slot] = name;
  return name;
}

/** The string that JavaScript itself keeps for a property name; it holds no part of the text that it was cut from. */
function propertyName(text: string): string {
  return Object.keys({ [text]: true })[0] ?? text;
}
