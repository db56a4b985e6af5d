/** The variables of a session as plain JavaScript data, and what was changed in them. */
import { isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { affectedVariables } from './affected-variables.js';
import { setOwn } from './container-frame.js';
import { variablesHeld } from './equal-variables.js';
import { NaturalRestorer } from './from-natural.js';
import { LaterProperties } from './later-property.js';
import { adopt } from './natural-adoption.js';
import { isUntouched } from './natural-comparison.js';
import { NaturalScope } from './natural-scope.js';
import { PhpFloat } from './php-float.js';
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
 *
 * A variable that holds an array is turned into its plain form when it is first looked at: most requests look at few.
 */
export class SessionView {
  /** Stands in {@link SessionView.held} for what nobody has looked at. */
  static readonly UNSEEN: unique symbol = Symbol('unseen');
  /** The variables. */
  readonly data: Record<string, unknown>;
  readonly #scope: NaturalScope = new NaturalScope();
  readonly #document: SessionDocument;
  readonly #later: LaterProperties;
  #adopted: WeakSet<object> | undefined;
  /** Whether somebody else works with the same data. */
  #isShared = false;

  /**
   * Opens a view of `document`, which it never changes.
   *
   * @param data the object that becomes {@link SessionView.data}, without what is in it; a new one when it is left out
   */
  constructor(document: SessionDocument, data: Record<string, unknown> = {}) {
    this.#document = document;
    this.data = data;
    for (const key of Object.keys(data)) delete data[key];
    const read = (key: string): unknown => toNatural(document.get(key), this.#scope);
    this.#later = new LaterProperties(data, read, document.keys.length);
    if (document.mayShare) {
      // An edit in one variable can be one in another, too, so all have to be there.
      const natural = toNatural(document.toObject(), this.#scope) as Record<string, unknown>;
      for (const key of document.keys) setOwn(this.data, key, natural[key]);
      return;
    }
    for (const key of document.keys) {
      const decoded = document.isUnread(key) ? undefined : document.get(key);
      if (decoded === undefined || isContainer(decoded)) this.#later.define(key);
      else setOwn(this.data, key, typeof decoded === 'object' ? toNatural(decoded, this.#scope) : decoded);
    }
  }

  /** The document that changes are found against. */
  get document(): SessionDocument {
    return this.#document;
  }

  /** Whether the variable is there and nobody has looked at it, let alone changed it. */
  isUnseen(key: string): boolean {
    return this.#later.isUnseen(key);
  }

  /** Whether the variable is there; a property that is not enumerable is none, as for JSON. */
  has(key: string): boolean {
    return Object.prototype.propertyIsEnumerable.call(this.data, key);
  }

  /** The very values of the variables, to tell later on which were replaced; nothing counts as looked at by this. */
  held(): Map<string, unknown> {
    return new Map(
      Object.keys(this.data).map((key) => [key, this.isUnseen(key) ? SessionView.UNSEEN : this.data[key]]),
    );
  }

  /** Which of the variables `document` holds as they are here. */
  storedIn(document: SessionDocument, keys: readonly string[]): ReadonlySet<string> {
    const restorer = new NaturalRestorer(this.#scope);
    const pairs = keys.map((name) => {
      const one = restorer.restore(this.data[name], this.#document.get(name));
      return { name, one, other: document.get(name) };
    });
    return variablesHeld(document, pairs);
  }

  /**
   * The same session later on, as `document` has it. Its variables are in the same {@link SessionView.data}, which whoever holds it may go
   * on using; this view is over. Only where that object cannot be changed, or is somebody else's, too, there is a new one.
   */
  succeededBy(document: SessionDocument): SessionView {
    const { data } = this;
    const isFree =
      !this.#isShared &&
      Object.isExtensible(data) &&
      Object.getOwnPropertyNames(data).every(isRemovable, data);
    if (isFree) this.#later.end();
    return new SessionView(document, isFree ? data : undefined);
  }

  /** The view, for somebody who works with the same data until it is succeeded. */
  shared(): SessionView {
    this.#isShared = true;
    return this;
  }

  /**
   * Puts a value that the application already holds, from an earlier view, in the place of a variable that is equal to
   * it: whatever else refers to it stays live, and it still is what PHP stored.
   */
  adopt(name: string, value: unknown): void {
    setOwn(this.data, name, value);
    this.#adopted ??= new WeakSet();
    adopt(value, this.#document.get(name), this.#scope, this.#adopted);
  }

  /**
   * What must be given to {@link SessionDocument.encodeWith} to store `data`: variables that differ, were added, or are
   * gone (deleted, hidden from `Object.keys`, or set to `undefined`).
   *
   * @throws StormlampError `ERR_PHP_VALUE` when a variable holds what PHP does not have, `ERR_PHP_LIMIT` when it is
   * cyclic or too large.
   */
  changes(): Map<string, VariableChange> {
    const restorer = new NaturalRestorer(this.#scope);
    const document = this.#document;
    const touched = this.#touched();
    // All are restored before the first is compared: what they share is only known then.
    const restored = touched.map(
      (key) => [key, restorer.restore(this.data[key], document.get(key))] as const,
    );
    const changes = new Map<string, VariableChange>();
    // Each is encoded alone, with all that it shares: where thousands share much, what may have changed counts as changed.
    const effort = { bytes: 0 };
    const enough = CLOSER_LOOKS * document.bytes.length + MIN_EFFORT_BYTES;
    for (const [key, value] of restored) {
      try {
        if (effort.bytes <= enough && document.holds(key, value, effort)) continue;
      } catch (error) {
        throw inVariable(key, error);
      }
      changes.set(key, { kind: 'set', value });
    }
    for (const key of document.keys) {
      if (this.isUnseen(key)) continue;
      const gone = !this.has(key) || this.data[key] === undefined;
      if (gone) changes.set(key, { kind: 'delete' });
    }
    return changes;
  }

  /** The variables that have to be restored and compared. */
  #touched(): readonly string[] {
    const document = this.#document;
    const seen = Object.keys(this.data).filter((key) => !this.isUnseen(key) && this.data[key] !== undefined);
    if (!document.mayShare) {
      const untouched = (key: string) => isUntouched(this.data[key], document.get(key), sharesNothing);
      return seen.filter((key) => !document.has(key) || !untouched(key));
    }
    const kept = seen.filter((key) => document.has(key));
    const pairs = kept.map((key) => [key, this.data[key], document.get(key)] as const);
    const affected = affectedVariables(pairs, this.#scope);
    return seen.filter((key) => !document.has(key) || affected.has(key));
  }
}

function isRemovable(this: object, key: string): boolean {
  return Object.getOwnPropertyDescriptor(this, key)?.configurable === true;
}

/** How many times the size of a session its variables are encoded to see whether they really changed. */
const CLOSER_LOOKS = 2;
const MIN_EFFORT_BYTES = 65_536;

function inVariable(name: string, error: unknown): unknown {
  if (!isStormlampError(error)) return error;
  const shown = name.length > 100 ? `${name.slice(0, 97)}...` : name;
  return new StormlampError(error.code, `The session variable \`${shown}\`: ${error.message}`, {
    cause: error,
  });
}

function sharesNothing(): boolean {
  return false;
}

function isContainer(decoded: unknown): boolean {
  return (
    typeof decoded === 'object' &&
    decoded !== null &&
    !(decoded instanceof PhpFloat) &&
    !Buffer.isBuffer(decoded)
  );
}
