/** One array or object under construction: it begins as the simplest JavaScript value and changes only when it must. */
import { integerOfKey } from './integer-key.js';
import type { OrderedMap, PhpKey } from './ordered-map.js';
import { PhpArray } from './php-array.js';
import type { PhpObject } from './php-object.js';
import type { PhpReference } from './php-reference.js';

/** The largest key that JavaScript objects keep in ascending order before all others. */
const MAX_ORDERED_KEY = 4294967294;

type Shape =
  | { readonly kind: 'list'; readonly items: unknown[] }
  | { readonly kind: 'record'; readonly record: Record<string, unknown> }
  | { readonly kind: 'map'; readonly map: OrderedMap };

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
  #shape: Shape;
  #lastIndex = -1;
  #sawText = false;

  /** Begins an array of `count` elements, or an object with as many properties. */
  constructor(count: number, parent: ContainerFrame | undefined, object?: PhpObject) {
    this.remaining = count;
    this.parent = parent;
    this.object = object;
    this.#shape =
      object === undefined ? { kind: 'list', items: [] } : { kind: 'map', map: object.properties };
  }

  /** The finished value. */
  get value(): unknown {
    if (this.object !== undefined) return this.object;
    const shape = this.#shape;
    return shape.kind === 'list' ? shape.items : shape.kind === 'record' ? shape.record : shape.map;
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

  /** Puts a value at a key that was entered before. */
  put(key: PhpKey, value: unknown): void {
    const shape = this.#shape;
    if (shape.kind === 'list') {
      shape.items[key as number] = value;
    } else if (shape.kind === 'record') {
      setOwn(shape.record, key as string, value);
    } else {
      shape.map.set(key, value);
    }
  }

  /** What stands at a key that was entered before. */
  at(key: PhpKey): unknown {
    const shape = this.#shape;
    if (shape.kind === 'list') return shape.items[key as number];
    if (shape.kind === 'map') return shape.map.get(key);
    return Object.hasOwn(shape.record, key as string) ? shape.record[key as string] : undefined;
  }

  #enterInteger(key: number | bigint): void {
    this.key = key;
    if (this.#shape.kind === 'list') {
      const { items } = this.#shape;
      if (key === items.length || (typeof key === 'number' && key >= 0 && key < items.length)) return;
      this.#toRecord(items);
    }
    if (this.#shape.kind !== 'record') return;
    if (typeof key === 'number' && key >= 0 && key <= MAX_ORDERED_KEY) {
      if (key > this.#lastIndex && !this.#sawText) this.#lastIndex = key;
      else if (!Object.hasOwn(this.#shape.record, key)) this.#toMap();
    } else {
      this.#sawText = true;
    }
  }

  #enterText(key: string): void {
    if (this.object === undefined) {
      const first = key.charCodeAt(0);
      const integer = first <= 57 ? integerOfKey(key) : undefined;
      if (integer !== undefined) {
        this.#enterInteger(integer);
        return;
      }
      if (this.#shape.kind === 'list') this.#toRecord(this.#shape.items);
    }
    this.key = key;
    this.#sawText = true;
  }

  #enterBytes(key: Buffer): void {
    this.key = key;
    if (this.#shape.kind === 'list') this.#toRecord(this.#shape.items);
    if (this.#shape.kind === 'record') this.#toMap();
  }

  #toRecord(items: unknown[]): void {
    const record: Record<string, unknown> = {};
    for (let index = 0; index < items.length; index += 1) record[index] = items[index];
    this.#lastIndex = items.length - 1;
    this.#shape = { kind: 'record', record };
  }

  #toMap(): void {
    const map = new PhpArray();
    if (this.#shape.kind === 'record') {
      for (const [key, value] of Object.entries(this.#shape.record)) map.set(key, value);
    }
    this.#shape = { kind: 'map', map };
  }
}

/** Sets an own property even when its name is `__proto__`. */
export function setOwn(record: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(record, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    record[key] = value;
  }
}
