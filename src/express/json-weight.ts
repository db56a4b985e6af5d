/** How much JSON a session's variables would make, found out without making it: what they share is written at every place. */
import { OrderedMap } from '../php/ordered-map.js';
import { PhpObject } from '../php/php-object.js';

/** What a container weighs besides its contents, about as many bytes as PHP needs for one. */
const CONTAINER_WEIGHT = 8;
/** What every session may make. */
const SMALLEST_LIMIT = 1_000_000;
/** What a session may make for each of its bytes. */
const LIMIT_PER_BYTE = 4;

/** Weighs the variables of one session; a value at many places is looked at once. */
export class JsonWeight {
  readonly #limit: number;
  readonly #weights = new Map<object, number>();
  #sum = 0;

  /** @param bytes the length of the stored session */
  constructor(bytes: number) {
    this.#limit = Math.max(SMALLEST_LIMIT, LIMIT_PER_BYTE * bytes);
  }

  /** Whether the JSON of `value` still fits, together with that of all values that fitted before. False for one that contains itself. */
  allows(value: unknown): boolean {
    try {
      const sum = this.#sum + this.#weigh(value);
      if (!(sum <= this.#limit)) return false;
      this.#sum = sum;
      return true;
    } catch (error) {
      // Nested deeper than the stack is; `JSON.stringify` could not write it either.
      if (error instanceof RangeError) return false;
      throw error;
    }
  }

  #weigh(value: unknown): number {
    if (typeof value === 'string') return value.length;
    if (typeof value !== 'object' || value === null) return 1;
    if (value instanceof Uint8Array) return LIMIT_PER_BYTE * value.length;
    const known = this.#weights.get(value);
    if (known !== undefined) return known;
    // Whatever is met again before its weight is known contains itself.
    this.#weights.set(value, Number.POSITIVE_INFINITY);
    let weight = CONTAINER_WEIGHT;
    for (const [key, item] of entriesOf(value)) weight += String(key).length + this.#weigh(item);
    this.#weights.set(value, weight);
    return weight;
  }
}

function entriesOf(value: object): Iterable<readonly [unknown, unknown]> {
  if (value instanceof PhpObject) return value.properties;
  if (value instanceof OrderedMap) return value;
  return Array.isArray(value) ? value.entries() : Object.entries(value);
}
