/** An ordered map with the keys that PHP has: integers and byte strings. */
import { isUtf8 } from 'node:buffer';

/**
 * A key of a PHP array or the raw name of a property: an integer (a BigInt beyond 2^53), text, or a Buffer for bytes
 * that are not UTF-8.
 */
export type PhpKey = number | bigint | string | Buffer;

/**
 * Insertion-ordered entries; setting a key that exists keeps its place, as in PHP.
 *
 * It is a Map so that `structuredClone` makes one of it, which PHP has no counterpart of: a copy that lost what makes it an array
 * or object of PHP must not be stored as something else.
 */
export class OrderedMap extends Map<PhpKey, unknown> {
  // A Map compares Buffers by identity, so equal bytes must become the same Buffer.
  #byteKeys: Map<string, Buffer> | undefined;

  /** Makes a map of `entries`. */
  constructor(entries: Iterable<readonly [PhpKey, unknown]> = []) {
    // Given to it, they would be set before there are any fields.
    super();
    for (const [key, value] of entries) this.set(key, value);
  }

  /** The value of `key`, undefined when there is none. */
  override get(key: PhpKey): unknown {
    return super.get(this.#canonical(key));
  }

  /** Whether `key` has an entry. */
  override has(key: PhpKey): boolean {
    return super.has(this.#canonical(key));
  }

  /** Sets the value of `key`, at the end when the key is new. */
  override set(key: PhpKey, value: unknown): this {
    return super.set(this.#canonical(key), value);
  }

  /** Removes `key`, and tells whether it was there. */
  override delete(key: PhpKey): boolean {
    return super.delete(this.#canonical(key));
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

Object.defineProperties(OrderedMap.prototype, {
  [Symbol.for('nodejs.util.inspect.custom')]: {
    value(this: OrderedMap): unknown {
      return { [this.constructor.name]: [...this] };
    },
  },
  // Whoever compares Maps by this name does not look at their order.
  [Symbol.toStringTag]: { value: 'OrderedMap' },
});
