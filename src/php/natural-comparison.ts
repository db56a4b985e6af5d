/** Finds out cheaply that natural data is still what it was made of. */
import { OrderedMap } from './ordered-map.js';
import { PhpArray } from './php-array.js';
import { PhpFloat } from './php-float.js';
import { PhpEnum, PhpObject } from './php-object.js';
import { PhpReference } from './php-reference.js';

/** Whether a place that held the object or reference `before` still holds it, where it may be one of several such places. */
export type SharedComparison = (before: PhpReference | PhpObject, now: unknown) => boolean;

/**
 * Whether `natural` certainly is `decoded` in natural form: true saves restoring and encoding both. It is false when
 * they differ, and also for whatever takes a closer look.
 *
 * @param share decides about objects and references; what is in them is not looked at
 */
export function isUntouched(natural: unknown, decoded: unknown, share: SharedComparison): boolean {
  return areUntouched([natural, decoded], share);
}

/** Whether the natural copy of an object certainly has the properties that `before` has. */
export function hasUntouchedProperties(now: unknown, before: PhpObject, share: SharedComparison): boolean {
  const pending: unknown[] = [];
  return now instanceof PhpObject && pairProperties(now, before, pending) && areUntouched(pending, share);
}

function areUntouched(pending: unknown[], share: SharedComparison): boolean {
  while (pending.length > 0) {
    const before = pending.pop();
    const now = pending.pop();
    if (typeof before !== 'object' || before === null) {
      if (!Object.is(now, before)) return false;
    } else if (before instanceof PhpFloat) {
      if (!Object.is(now, before.value)) return false;
    } else if (Buffer.isBuffer(before)) {
      if (!Buffer.isBuffer(now) || !now.equals(before)) return false;
    } else if (before instanceof PhpReference || before instanceof PhpObject) {
      if (!share(before, now)) return false;
    } else if (before instanceof PhpEnum) {
      if (now !== before) return false;
    } else if (!pairElements(now, before, pending)) {
      return false;
    }
  }
  return true;
}

/** Puts the properties of an object and of its natural copy side by side; false when they cannot be the same. */
function pairProperties(now: PhpObject, before: PhpObject, pending: unknown[]): boolean {
  if (now.className !== before.className || now.properties.size !== before.properties.size) return false;
  const entries = now.properties.entries();
  for (const [key, value] of before.properties) {
    const next = entries.next();
    if (next.done === true || next.value[0] !== key) return false;
    pending.push(next.value[1], value);
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
