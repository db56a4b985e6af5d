/** An ordered map with the keys that PHP has: integers and byte strings. */
import { isUtf8 } from 'node:buffer';

/**
 * A key of a PHP array or the raw name of a property: an integer (a BigInt beyond 2^53), text, or a Buffer for bytes
 * that are not UTF-8.
 */
export type PhpKey = number | bigint | string | Buffer;

/** Insertion-ordered entries; setting a key that exists keeps its place, as in PHP. */
export class OrderedMap implements Iterable<[PhpKey, unknown]> {
  readonly #entries = new Map<PhpKey, unknown>();
  // A Map compares Buffers by identity, so equal bytes must become the same Buffer.
  #byteKeys: Map<string, Buffer> | undefined;

  /** Makes a map of `entries`. */
  constructor(entries: Iterable<readonly [PhpKey, unknown]> = []) {
    for (const [key, value] of entries) this.set(key, value);
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** The value of `key`, undefined when there is none. */
  get(key: PhpKey): unknown {
    return this.#entries.get(this.#canonical(key));
  }

  /** Whether `key` has an entry. */
  has(key: PhpKey): boolean {
    return this.#entries.has(this.#canonical(key));
  }

  /** Sets the value of `key`, at the end when the key is new. */
  set(key: PhpKey, value: unknown): this {
    this.#entries.set(this.#canonical(key), value);
    return this;
  }

  /** Removes `key`, and tells whether it was there. */
  delete(key: PhpKey): boolean {
    return this.#entries.delete(this.#canonical(key));
  }

  /** The keys in their order. */
  keys(): IterableIterator<PhpKey> {
    return this.#entries.keys();
  }

  /** The values in their order. */
  values(): IterableIterator<unknown> {
    return this.#entries.values();
  }

  /** The entries in their order. */
  entries(): IterableIterator<[PhpKey, unknown]> {
    return this.#entries.entries();
  }

  /** The entries in their order. */
  [Symbol.iterator](): IterableIterator<[PhpKey, unknown]> {
    return this.#entries.entries();
  }

  /** The form of a key that is stored; a subclass may fold more keys together. */
  protected normalize(key: PhpKey): PhpKey {
    if (typeof key !== 'bigint') return key;
    return key >= BigInt(Number.MIN_SAFE_INTEGER) && key <= BigInt(Number.MAX_SAFE_INTEGER)
      ? Number(key)
      : key;
  }

  #canonical(key: PhpKey): PhpKey {
    const normal = this.normalize(key);
    if (typeof normal !== 'object') return normal;
    if (isUtf8(normal)) return this.normalize(normal.toString('utf8'));
    const id = normal.toString('latin1');
    this.#byteKeys ??= new Map();
    let known = this.#byteKeys.get(id);
    if (known === undefined) {
      known = Buffer.from(normal);
      this.#byteKeys.set(id, known);
    }
    return known;
  }
}

// The entries are private: without this, `console.log` and failed assertions would show nothing of them.
Object.defineProperty(OrderedMap.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value(this: OrderedMap): unknown {
    return { [this.constructor.name]: [...this] };
  },
});
