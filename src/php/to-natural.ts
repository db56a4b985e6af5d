/** Decoded PHP values as a JavaScript programmer expects them. */
import { setOwn } from './container-frame.js';
import { type NaturalScope, setSource } from './natural-scope.js';
import { OrderedMap } from './ordered-map.js';
import { setOrigin } from './origin.js';
import { PhpArray } from './php-array.js';
import { PhpFloat } from './php-float.js';
import { PhpObject } from './php-object.js';
import { PhpReference } from './php-reference.js';

type Fill = () => void;

/**
 * Makes a mutable copy in natural form: floats are numbers, ordered arrays plain objects, references the value that
 * they share (one and the same container at all their places). BigInts, Buffers, PHP objects and enums keep their
 * kind. What each container was made of is remembered, so that a restorer can undo it.
 */
export function toNatural(value: unknown, scope: NaturalScope): unknown {
  const pending: Fill[] = [];

  const convert = (source: unknown): unknown => {
    if (typeof source !== 'object' || source === null) return source;
    if (source instanceof PhpFloat) return source.value;
    if (source instanceof PhpReference) return convertReference(source);
    if (Buffer.isBuffer(source)) return Buffer.from(source);
    const known = source instanceof PhpObject ? scope.objects.get(source) : undefined;
    if (known !== undefined) return known;
    const copy = copyOf(source);
    if (copy === source) return source;
    if (source instanceof PhpObject) scope.objects.set(source, copy as PhpObject);
    setSource(copy, source);
    pending.push(() => fill(source, copy));
    return copy;
  };

  const convertReference = (reference: PhpReference): unknown => {
    if (scope.references.has(reference)) return scope.references.get(reference);
    const natural = convert(reference.value);
    scope.references.set(reference, natural);
    // An array has one variable, or as many copies as places; an object or an enum case may stand in several variables.
    if (isArray(natural)) scope.holders.set(natural, reference);
    return natural;
  };

  const fill = (source: object, copy: object): void => {
    if (Array.isArray(source)) {
      const target = copy as unknown[];
      for (const item of source) target.push(convert(item));
    } else if (source instanceof PhpObject) {
      const { properties } = copy as PhpObject;
      for (const [key, item] of source.properties) properties.set(key, convert(item));
    } else if (copy instanceof OrderedMap) {
      for (const [key, item] of source as OrderedMap) copy.set(key, convert(item));
    } else {
      const entries = source instanceof OrderedMap ? source : Object.entries(source);
      for (const [key, item] of entries) setOwn(copy as Record<string, unknown>, String(key), convert(item));
    }
  };

  const natural = convert(value);
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) next();
  return natural;
}

/** An empty container for the natural form of `source`; `source` itself when it has no other form. */
function copyOf(source: object): object {
  if (Array.isArray(source)) return [];
  if (source instanceof PhpObject) {
    const copy = new PhpObject(source.className);
    setOrigin(copy, source);
    return copy;
  }
  if (source instanceof OrderedMap) {
    // Names that are no text cannot be those of a plain object.
    for (const key of source.keys()) if (typeof key === 'object') return new PhpArray();
    return {};
  }
  return Object.getPrototypeOf(source) === Object.prototype ? {} : source;
}

function isArray(natural: unknown): natural is object {
  if (typeof natural !== 'object' || natural === null) return false;
  return (
    Array.isArray(natural) ||
    natural instanceof OrderedMap ||
    Object.getPrototypeOf(natural) === Object.prototype
  );
}
