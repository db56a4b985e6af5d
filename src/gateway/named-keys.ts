/** The keys that one line names, cut from its bytes when their turn comes: a line of a mebibyte costs no more than its bytes. */
import { KEY_LIMIT, readKey } from './wire-key.js';

/** The most keys that one line may name. memcached has no such limit; PHP's `getMulti` of 10 000 keys is one line. */
export const MAX_KEYS_OF_LINE = 32_768;

const SPACE = 0x20;

/** Where the word at or behind `from` begins and ends; undefined when there is none. */
export function wordAt(
  line: Buffer,
  from: number,
): { readonly start: number; readonly end: number } | undefined {
  let start = from;
  while (line[start] === SPACE) start += 1;
  if (start >= line.length) return undefined;
  const end = line.indexOf(SPACE, start);
  return { start, end: end === -1 ? line.length : end };
}

/** The keys of a line, in their order; each of them was looked at before. */
export class NamedKeys implements Iterable<string> {
  readonly #line: Buffer;
  readonly #from: number;

  private constructor(line: Buffer, from: number) {
    this.#line = line;
    this.#from = from;
  }

  /** The keys behind `from`; none at all of a line with a word that is no key, or with more than `MAX_KEYS_OF_LINE`. */
  static read(line: Buffer, from: number): NamedKeys | 'none' | 'malformed' | 'too many' {
    let count = 0;
    for (let word = wordAt(line, from); word !== undefined; word = wordAt(line, word.end)) {
      count += 1;
      if (count > MAX_KEYS_OF_LINE) return 'too many';
      if (word.end - word.start > KEY_LIMIT || readKey(line.subarray(word.start, word.end)) === undefined)
        return 'malformed';
    }
    return count === 0 ? 'none' : new NamedKeys(line, from);
  }

  *[Symbol.iterator](): Generator<string> {
    let word = wordAt(this.#line, this.#from);
    while (word !== undefined) {
      const key = readKey(this.#line.subarray(word.start, word.end));
      if (key !== undefined) yield key;
      word = wordAt(this.#line, word.end);
    }
  }
}
