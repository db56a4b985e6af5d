/** The variables of a session as plain JavaScript data, and what was changed in them. */
import { setOwn } from './container-frame.js';
import { NaturalRestorer } from './from-natural.js';
import { adopt } from './natural-adoption.js';
import { isUntouched } from './natural-comparison.js';
import { NaturalScope } from './natural-scope.js';
import type { SessionDocument, VariableChange } from './session-document.js';
import { toNatural } from './to-natural.js';

/**
 * A session to work with: `data` is plain and mutable, and a number next to an edit is still the float that PHP stored.
 *
 * | PHP | in `data` |
 * |---|---|
 * | float | number; stays a float when it is changed to an integral number |
 * | list, other array | array, plain object (an ordered array gets its order back) |
 * | int beyond 2^53, bytes that are not UTF-8 | BigInt, Buffer |
 * | object, enum | PhpObject, PhpEnum |
 * | variables bound with & | one shared array or object; of two numbers or texts the changed one counts |
 */
export class SessionView {
  /** The variables. */
  readonly data: Record<string, unknown> = {};
  readonly #scope: NaturalScope = new NaturalScope();
  readonly #document: SessionDocument;

  /** Opens a view of `document`, which it never changes. */
  constructor(document: SessionDocument) {
    this.#document = document;
    const natural = toNatural(document.toObject(), this.#scope) as Record<string, unknown>;
    for (const key of document.keys) setOwn(this.data, key, natural[key]);
  }

  /** The document that changes are found against. */
  get document(): SessionDocument {
    return this.#document;
  }

  /**
   * Puts a value that the application already holds, from an earlier view, in the place of a variable that is equal to
   * it: whatever else refers to it stays live, and it still is what PHP stored.
   */
  adopt(name: string, value: unknown): void {
    setOwn(this.data, name, value);
    adopt(value, this.#document.get(name), this.#scope);
  }

  /**
   * What must be given to {@link SessionDocument.encodeWith} to store `data`: variables that differ, were added, or are
   * gone (deleted, or set to `undefined`).
   *
   * @throws StormlampError `ERR_PHP_VALUE` when a variable holds what PHP does not have, `ERR_PHP_LIMIT` when it is
   * cyclic or too large.
   */
  changes(): Map<string, VariableChange> {
    const restorer = new NaturalRestorer(this.#scope);
    const document = this.#document;
    const touched = Object.keys(this.data).filter(
      (key) =>
        this.data[key] !== undefined &&
        !(document.has(key) && isUntouched(this.data[key], document.get(key))),
    );
    // All are restored before the first is compared: what they share is only known then.
    const restored = touched.map(
      (key) => [key, restorer.restore(this.data[key], document.get(key))] as const,
    );
    const changes = new Map<string, VariableChange>();
    for (const [key, value] of restored)
      if (!document.holds(key, value)) changes.set(key, { kind: 'set', value });
    for (const key of document.keys) {
      const gone = !Object.hasOwn(this.data, key) || this.data[key] === undefined;
      if (gone) changes.set(key, { kind: 'delete' });
    }
    return changes;
  }
}
