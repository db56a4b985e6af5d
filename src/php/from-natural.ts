/** Natural JavaScript values back in the form in which PHP's own distinctions are kept. */
import { setOwn } from './container-frame.js';
import { type NaturalScope, sourceOf } from './natural-scope.js';
import { OrderedMap, type PhpKey } from './ordered-map.js';
import { setOrigin } from './origin.js';
import { PhpArray } from './php-array.js';
import { PhpFloat } from './php-float.js';
import { PhpEnum, PhpObject } from './php-object.js';
import { PhpReference } from './php-reference.js';

/**
 * Restores natural values; one restorer serves all variables of a session, so that what they share stays shared.
 *
 * A number becomes a float where there was a float before. "Where" follows a container wherever it is moved to, and
 * a path when a container was replaced by a new one. Arrays whose order only a {@link PhpArray} can hold get it back,
 * with new keys at the end; places that PHP had bound with & are bound again. In a list, whose places move, what is bound
 * goes with its container, and what is new there is bound to nothing: PHP leaves such lists behind after a `foreach` by
 * reference, and a change of one must not reach into the others.
 */
export class NaturalRestorer {
  readonly #scope: NaturalScope;
  readonly #restored = new Map<object, object>();
  readonly #references = new Map<PhpReference, { readonly box: PhpReference; natural: unknown }>();
  readonly #pending: (() => void)[] = [];

  /** Makes a restorer of values that were viewed in `scope`. */
  constructor(scope: NaturalScope) {
    this.#scope = scope;
  }

  /** The faithful form of `natural`, which stands where `original` was (undefined at a new place). */
  restore(natural: unknown, original: unknown): unknown {
    const result = this.#convert(natural, original);
    for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop()) next();
    return result;
  }

  #convert(natural: unknown, original: unknown): unknown {
    if (original instanceof PhpReference) return this.#convertReference(natural, original);
    if (typeof natural === 'number') return restoreNumber(natural, isFloat(original));
    if (typeof natural !== 'object' || natural === null) return natural;
    const known = this.#restored.get(natural);
    if (known !== undefined) return known;
    const source = sourceOf(natural) ?? (isContainer(original) ? original : undefined);
    const target = this.#begin(natural, source);
    if (target !== natural) this.#restored.set(natural, target);
    return target;
  }

  #convertReference(natural: unknown, original: PhpReference): PhpReference {
    const known = this.#references.get(original);
    if (known === undefined) {
      const box = new PhpReference();
      setOrigin(box, original);
      this.#references.set(original, { box, natural });
      box.value = this.#convert(natural, original.value);
      return box;
    }
    // Of two places that share a variable the one that was changed counts.
    const before = this.#scope.references.get(original);
    if (!Object.is(known.natural, natural) && Object.is(known.natural, before)) {
      known.natural = natural;
      known.box.value = this.#convert(natural, original.value);
    }
    return known.box;
  }

  /** Makes the faithful container and plans to fill it; anything that is no container is its own faithful form. */
  #begin(natural: object, source: object | undefined): object {
    if (Array.isArray(natural)) return this.#beginArray(natural, source);
    if (natural instanceof PhpObject) {
      const target = new PhpObject(natural.className);
      setOrigin(target, natural);
      const before = source instanceof PhpObject ? source.properties : undefined;
      this.#fillMap(target.properties, natural.properties, before);
      return target;
    }
    if (natural instanceof OrderedMap) {
      const target = new PhpArray();
      this.#fillMap(target, natural, source);
      return target;
    }
    if (natural instanceof PhpReference) {
      const target = new PhpReference();
      setOrigin(target, natural);
      this.#pending.push(() => {
        target.value = this.#convert(natural.value, undefined);
      });
      return target;
    }
    const prototype: unknown = Object.getPrototypeOf(natural);
    if (prototype !== Object.prototype && prototype !== null) return natural;
    return this.#beginRecord(natural as Record<string, unknown>, source);
  }

  #beginArray(natural: readonly unknown[], source: object | undefined): object {
    if (!isList(natural)) {
      return this.#beginRecord(natural as unknown as Record<string, unknown>, source);
    }
    const target: unknown[] = [];
    this.#pending.push(() => {
      const before = Array.isArray(source) ? source : undefined;
      if (before?.some((item) => item instanceof PhpReference)) {
        this.#fillBoundList(target, natural, before);
        return;
      }
      const moved = before !== undefined && before.length !== natural.length;
      // When a list of numbers grew or shrank, places mean nothing: it is one of floats or it is not.
      const allFloats = moved && before.length > 0 && before.every(isFloat);
      for (const [index, item] of natural.entries()) {
        if (typeof item === 'number' && moved) {
          target.push(
            restoreNumber(item, allFloats || (isFloat(before[index]) && numberOf(before[index]) === item)),
          );
        } else {
          target.push(this.#convert(item, lookUp(source, index)));
        }
      }
    });
    return target;
  }

  #fillBoundList(target: unknown[], natural: readonly unknown[], before: readonly unknown[]): void {
    const { references, holders } = this.#scope;
    const seen = (item: unknown) => (item instanceof PhpReference ? references.get(item) : numberOf(item));
    const moved = before.length !== natural.length || isPermutation(natural, before.map(seen));
    for (const [index, item] of natural.entries()) {
      const original = before[index];
      const holder = typeof item === 'object' && item !== null ? holders.get(item) : undefined;
      if (holder !== undefined) target.push(this.#convertReference(item, holder));
      else if (!(original instanceof PhpReference)) target.push(this.#convert(item, original));
      else if (Object.is(references.get(original), item) || (isScalar(item) && !moved))
        target.push(this.#convertReference(item, original));
      else target.push(this.#convert(item, undefined));
    }
  }

  #beginRecord(natural: Readonly<Record<string, unknown>>, source: object | undefined): object {
    if (source instanceof PhpArray) {
      const target = new PhpArray();
      const entries = new PhpArray(Object.entries(natural).filter(([, value]) => value !== undefined));
      const kept = Array.from(source.keys()).filter((key) => entries.has(key));
      const ordered = new PhpArray(kept.map((key) => [key, entries.get(key)]));
      for (const [key, value] of entries) ordered.set(key, value);
      this.#fillMap(target, ordered, source);
      return target;
    }
    const target: Record<string, unknown> = {};
    this.#pending.push(() => {
      for (const key of Object.keys(natural)) {
        setOwn(target, key, this.#convert(natural[key], lookUp(source, key)));
      }
    });
    return target;
  }

  #fillMap(target: OrderedMap, natural: OrderedMap, source: object | undefined): void {
    this.#pending.push(() => {
      for (const [key, item] of natural) target.set(key, this.#convert(item, lookUp(source, key)));
    });
  }
}

function restoreNumber(value: number, float: boolean): number | PhpFloat {
  if (!float) return value === 0 ? 0 : value;
  return Number.isInteger(value) ? new PhpFloat(value) : value;
}

function isFloat(original: unknown): boolean {
  return original instanceof PhpFloat || (typeof original === 'number' && !Number.isInteger(original));
}

function numberOf(original: unknown): unknown {
  return original instanceof PhpFloat ? original.value : original;
}

/** Whether a list holds what it held, in another order. */
function isPermutation(now: readonly unknown[], before: readonly unknown[]): boolean {
  if (now.every((item, index) => Object.is(item, before[index]))) return false;
  const counts = new Map<unknown, number>();
  for (const item of before) counts.set(item, (counts.get(item) ?? 0) + 1);
  for (const item of now) {
    const left = counts.get(item) ?? 0;
    if (left === 0) return false;
    counts.set(item, left - 1);
  }
  return true;
}

/** What is assigned through a place that is bound. */
function isScalar(value: unknown): boolean {
  return typeof value !== 'object' || value === null || Buffer.isBuffer(value) || value instanceof PhpEnum;
}

function isContainer(value: unknown): value is object {
  return (
    typeof value === 'object' && value !== null && !(value instanceof PhpFloat) && !Buffer.isBuffer(value)
  );
}

function lookUp(source: object | undefined, key: PhpKey): unknown {
  if (source === undefined) return undefined;
  if (source instanceof OrderedMap) return source.get(key);
  if (typeof key === 'object' || source instanceof PhpObject) return undefined;
  const name = String(key);
  return Object.hasOwn(source, name) ? (source as Record<string, unknown>)[name] : undefined;
}

/** Whether an array has all its elements and nothing else: with names in it, it is what PHP holds as an array with names. */
function isList(natural: readonly unknown[]): boolean {
  if (Object.keys(natural).length !== natural.length) return false;
  for (let index = 0; index < natural.length; index += 1) {
    if (natural[index] === undefined && !(index in natural)) return false;
  }
  return true;
}
