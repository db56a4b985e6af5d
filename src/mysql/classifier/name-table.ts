/** A table of names that is asked with a place in a text, so that a look-up makes no string, whatever the text holds. */
import { hashStep } from './word-table.js';

/** Names without regard to case, each with a value. Unlike a `WordTable` it takes any characters and grows. */
export class NameTable<T> {
  readonly #byHash = new Map<number, { readonly name: string; readonly value: T }[]>();

  /** The value of a whole name; `undefined` when it is not listed. */
  get(name: string): T | undefined {
    return this.find(name, 0, name.length);
  }

  /** Lists a name that is not listed yet. */
  add(name: string, value: T): T {
    const folded = name.toLowerCase();
    const hash = hashOf(folded, 0, folded.length);
    const others = this.#byHash.get(hash);
    const entry = { name: folded, value };
    if (others === undefined) this.#byHash.set(hash, [entry]);
    else others.push(entry);
    return value;
  }

  /** The value of the name that stands at `start` and ends before `end`; `undefined` when it is not listed. */
  find(text: string, start: number, end: number): T | undefined {
    const entries = this.#byHash.get(hashOf(text, start, end));
    if (entries === undefined) return undefined;
    for (const { name, value } of entries) {
      if (name.length === end - start && isSame(text, start, name)) return value;
    }
    return undefined;
  }
}

function hashOf(text: string, start: number, end: number): number {
  let hash = 0;
  for (let index = start; index < end; index += 1) {
    // The case of letters beyond ASCII is not one bit, so they do not count.
    hash = hashStep(hash, Math.min(text.charCodeAt(index), 128));
  }
  return hash;
}

function isSame(text: string, start: number, name: string): boolean {
  for (let index = 0; index < name.length; index += 1) {
    const code = text.charCodeAt(start + index);
    if (code === name.charCodeAt(index)) continue;
    if (code < 65 || (code > 90 && code < 128)) return false;
    if (String.fromCharCode(code).toLowerCase() !== name[index]) return false;
  }
  return true;
}
