/** What natural views remember of the decoded values that they were made of. */
import type { PhpObject } from './php-object.js';
import type { PhpReference } from './php-reference.js';

// Held weakly by the natural containers, each of which was made of exactly one decoded container.
const SOURCES = new WeakMap<object, object>();

/**
 * One view of decoded values: what they share in PHP, objects and variables bound with &, is shared by all values that
 * are viewed in the same scope. Views in different scopes never see each other's edits.
 */
export class NaturalScope {
  #references: WeakMap<PhpReference, unknown> | undefined;
  #objects: WeakMap<PhpObject, PhpObject> | undefined;
  #holders: WeakMap<object, PhpReference> | undefined;

  /** The natural values of references. Most sessions have none, and a weak map is work for every collection. */
  get references(): WeakMap<PhpReference, unknown> {
    this.#references ??= new WeakMap();
    return this.#references;
  }

  /** The references whose values natural arrays are. Objects are none of them: they are shared without a reference, too. */
  get holders(): WeakMap<object, PhpReference> {
    this.#holders ??= new WeakMap();
    return this.#holders;
  }

  /** The natural copies of objects. */
  get objects(): WeakMap<PhpObject, PhpObject> {
    this.#objects ??= new WeakMap();
    return this.#objects;
  }
}

/** Remembers what a natural container was made of. */
export function setSource(natural: object, decoded: object): void {
  SOURCES.set(natural, decoded);
}

/** The decoded container that a natural one was made of. */
export function sourceOf(natural: object): object | undefined {
  return SOURCES.get(natural);
}
