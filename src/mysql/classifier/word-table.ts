/** A hash table from words to numbers that is asked with a place in a text, so that a look-up makes no string. */

/** Words longer than this are in no table. */
export const LONGEST_WORD = 64;

/** Adds one character to the running hash of a word; `code | 32` folds the case of ASCII letters. */
export function hashStep(hash: number, code: number): number {
  return (Math.imul(hash, 31) + (code | 32)) | 0;
}

/** Fixed words of identifier characters, each with a number that is not 0; the case of ASCII letters does not matter. */
export class WordTable {
  readonly #words: string[];
  readonly #values: Int32Array;
  readonly #mask: number;

  /** Takes the entries over; later entries of the same word are joined to earlier ones with a bitwise or. */
  constructor(entries: Iterable<readonly [word: string, value: number]>) {
    const joined = new Map<string, number>();
    for (const [word, value] of entries)
      joined.set(word.toLowerCase(), (joined.get(word.toLowerCase()) ?? 0) | value);
    let size = 64;
    while (size < joined.size * 4) size *= 2;
    this.#mask = size - 1;
    this.#words = Array.from({ length: size }, () => '');
    this.#values = new Int32Array(size);
    for (const [word, value] of joined) {
      let hash = 0;
      for (let index = 0; index < word.length; index += 1) hash = hashStep(hash, word.charCodeAt(index));
      let slot = (hash ^ (hash >>> 15)) & this.#mask;
      while (this.#words[slot] !== '') slot = (slot + 1) & this.#mask;
      this.#words[slot] = word;
      this.#values[slot] = value;
    }
  }

  /** The number of the word at `start` (up to, not including, `end`) whose hash is `hash`; 0 when it is not listed. */
  find(text: string, start: number, end: number, hash: number): number {
    const length = end - start;
    let slot = (hash ^ (hash >>> 15)) & this.#mask;
    for (;;) {
      const word = this.#words[slot];
      if (word === undefined || word === '') return 0;
      if (word.length === length && same(text, start, word)) return this.#values[slot] ?? 0;
      slot = (slot + 1) & this.#mask;
    }
  }

  /** The number of a whole word; 0 when it is not listed. */
  get(word: string): number {
    let hash = 0;
    for (let index = 0; index < word.length; index += 1) hash = hashStep(hash, word.charCodeAt(index));
    return this.find(word, 0, word.length, hash);
  }
}

function same(text: string, start: number, word: string): boolean {
  for (let index = 0; index < word.length; index += 1) {
    if ((text.charCodeAt(start + index) | 32) !== (word.charCodeAt(index) | 32)) return false;
  }
  return true;
}
