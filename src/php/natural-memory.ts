/** What a natural view remembers of the decoded values that it was made of. */
import type { PhpReference } from './php-reference.js';

/** Ties natural values to the decoded ones behind them. */
export class NaturalMemory {
  /** The decoded array, map or object that a natural container was made of. */
  readonly sources: WeakMap<object, object> = new WeakMap();
  /** The natural value of a reference. */
  readonly references: WeakMap<PhpReference, unknown> = new WeakMap();
}
