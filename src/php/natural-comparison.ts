/** Finds out cheaply that natural data is still what it was made of. */
import { OrderedMap } from './ordered-map.js';
import { PhpArray } from './php-array.js';
import { PhpFloat } from './php-float.js';

/**
 * Whether `natural` certainly is `decoded` in natural form: true saves restoring and encoding both. It is false when
 * they differ, and also for whatever takes a closer look, objects and references.
 */
export function isUntouched(natural: unknown, decoded: unknown): boolean {
  const pending: unknown[] = [natural, decoded];
  while (pending.length > 0) {
    const before = pending.pop();
    const now = pending.pop();
    if (typeof before !== 'object' || before === null) {
      if (!Object.is(now, before)) return false;
    } else if (before instanceof PhpFloat) {
      if (!Object.is(now, before.value)) return false;
    } else if (Buffer.isBuffer(before)) {
      if (!Buffer.isBuffer(now) || !now.equals(before)) return false;
    } else if (!pairElements(now, before, pending)) {
      return false;
    }
  }
  return true;
}

/** Puts the elements of two containers side by side; false when they cannot be the same. */
function pairElements(now: unknown, before: object, pending: unknown[]): boolean {
  if (typeof now !== 'object' || now === null) return false;
  if (Array.isArray(before)) {
    if (!Array.isArray(now) || now.length !== before.length) return false;
    // PHP's arrays take names beside their elements.
    if (Object.keys(now).length !== before.length) return false;
    for (let index = 0; index < before.length; index += 1) pending.push(now[index], before[index]);
    return true;
  }
  if (Object.getPrototypeOf(now) !== Object.prototype) return false;
  const names = Object.keys(now);
  const record = now as Readonly<Record<string, unknown>>;
  if (before instanceof PhpArray) {
    if (names.length !== before.size) return false;
    for (const [key, value] of before) {
      if (typeof key === 'object' || !Object.hasOwn(record, String(key))) return false;
      pending.push(record[String(key)], value);
    }
    return true;
  }
  if (before instanceof OrderedMap || Object.getPrototypeOf(before) !== Object.prototype) return false;
  const source = before as Readonly<Record<string, unknown>>;
  const expected = Object.keys(source);
  if (expected.length !== names.length) return false;
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index] as string;
    // An array whose order changed is another array to PHP.
    if (name !== expected[index]) return false;
    pending.push(record[name], source[name]);
  }
  return true;
}
