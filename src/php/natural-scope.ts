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
  /** The natural values of references. */
  readonly references: WeakMap<PhpReference, unknown> = new WeakMap();
  /** The natural copies of objects. */
  readonly objects: WeakMap<PhpObject, PhpObject> = new WeakMap();
}

/** Remembers what a natural container was made of. */
export function setSource(natural: object, decoded: object): void {
  SOURCES.set(natural, decoded);
}

/** The decoded container that a natural one was made of. */
export function sourceOf(natural: object): object | undefined {
  return SOURCES.get(natural);
}
