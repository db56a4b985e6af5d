/** One array or object under construction: it begins as the simplest JavaScript value and changes only when it must. */
import { integerOfKey } from './integer-key.js';
import type { OrderedMap, PhpKey } from './ordered-map.js';
import { PhpArray } from './php-array.js';
import type { PhpObject } from './php-object.js';
import type { PhpReference } from './php-reference.js';

/** The largest key that JavaScript objects keep in ascending order before all others. */
const MAX_ORDERED_KEY = 4294967294;

/**
 * Collects the elements of one container in the order in which they are read.
 *
 * An array stays a JavaScript array while its keys count up from 0, becomes a plain object when they do not, and a
 * {@link PhpArray} when a plain object would change their order. The whole effort is linear: a container changes its
 * shape twice at most.
 */
export class ContainerFrame {
  /** The container that this one is an element of. */
  readonly parent: ContainerFrame | undefined;
  /** The object under construction, when it is not an array. */
  readonly object: PhpObject | undefined;
  /** The container being read at `key`, which is not yet there. */
  child: ContainerFrame | undefined;
  /** The reference that binds this container's own place, when one was made before the container was complete. */
  box: PhpReference | undefined;
  /** How many elements are still to come. */
  remaining: number;
  /** The key whose value is being read. */
  key: PhpKey = 0;
  // Exactly one of them is there.
  #list: unknown[] | undefined;
  #record: Record<string, unknown> | undefined;
  #map: OrderedMap | undefined;
  #lastIndex = -1;
  #sawText = false;

  /** Begins an array of `count` elements, or an object with as many properties. */
  constructor(count: number, parent: ContainerFrame | undefined, object?: PhpObject) {
    this.remaining = count;
    this.parent = parent;
    this.object = object;
    this.#list = object === undefined ? [] : undefined;
    this.#map = object?.properties;
  }

  /** The finished value. */
  get value(): unknown {
    return this.object ?? this.#list ?? this.#record ?? this.#map;
  }

  /** Begins the element of a key. In an array decimal text is an integer key, in an object it is not. */
  enter(key: PhpKey): void {
    if (typeof key === 'string') this.#enterText(key);
    else if (typeof key === 'object') this.#enterBytes(key);
    else this.#enterInteger(key);
  }

  /** Puts a value at the present key. */
  place(value: unknown): void {
    this.put(this.key, value);
  }

  /** Adds the element of an integer key. */
  addInteger(key: number | bigint, value: unknown): void {
    const list = this.#list;
    if (list !== undefined && key === list.length) {
      list.push(value);
      return;
    }
    this.#enterInteger(key);
    this.put(this.key, value);
  }

  /** Adds the element of a text key. */
  addText(key: string, value: unknown): void {
    this.#enterText(key);
    this.put(this.key, value);
  }

  /** Puts a value at a key that was entered before. */
  put(key: PhpKey, value: unknown): void {
    if (this.#list !== undefined) this.#list[key as number] = value;
    else if (this.#record !== undefined) setOwn(this.#record, key as string, value);
    else this.#map?.set(key, value);
  }

  /** What stands at a key that was entered before. */
  at(key: PhpKey): unknown {
    if (this.#list !== undefined) return this.#list[key as number];
    if (this.#map !== undefined) return this.#map.get(key);
    const record = this.#record;
    return record !== undefined && Object.hasOwn(record, key as string) ? record[key as string] : undefined;
  }

  #enterInteger(key: number | bigint): void {
    this.key = key;
    const list = this.#list;
    if (list !== undefined) {
      if (key === list.length || (typeof key === 'number' && key >= 0 && key < list.length)) return;
      this.#toRecord(list);
    }
    const record = this.#record;
    if (record === undefined) return;
    if (typeof key === 'number' && key >= 0 && key <= MAX_ORDERED_KEY) {
      if (key > this.#lastIndex && !this.#sawText) this.#lastIndex = key;
      else if (!Object.hasOwn(record, key)) this.#toMap();
    } else {
      this.#sawText = true;
    }
  }

  #enterText(key: string): void {
    if (this.object === undefined) {
      const integer = key.charCodeAt(0) <= 57 ? integerOfKey(key) : undefined;
      if (integer !== undefined) {
        this.#enterInteger(integer);
        return;
      }
      if (this.#list !== undefined) this.#toRecord(this.#list);
    }
    this.key = key;
    this.#sawText = true;
  }

  #enterBytes(key: Buffer): void {
    this.key = key;
    if (this.#list !== undefined) this.#toRecord(this.#list);
    if (this.#record !== undefined) this.#toMap();
  }

  #toRecord(items: unknown[]): void {
    const record: Record<string, unknown> = {};
    for (let index = 0; index < items.length; index += 1) record[index] = items[index];
    this.#lastIndex = items.length - 1;
    this.#list = undefined;
    this.#record = record;
  }

  #toMap(): void {
    this.#map = new PhpArray(Object.entries(this.#record ?? {}));
    this.#record = undefined;
  }
}

/** Sets an own property whatever its name is, `__proto__` and the names of a frozen `Object.prototype` included. */
export function setOwn(record: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') {
    try {
      record[key] = value;
      return;
    } catch {
      // Assigning a name that a frozen prototype has throws; defining it does not.
    }
  }
  Object.defineProperty(record, key, { value, writable: true, enumerable: true, configurable: true });
}
