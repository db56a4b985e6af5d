/** Lets two decoded sessions share the identities of the objects and references that they both hold. */
import { equalVariables } from './equal-variables.js';
import { OrderedMap, type PhpKey } from './ordered-map.js';
import { setOrigin } from './origin.js';
import { PhpCustomObject, PhpObject } from './php-object.js';
import { PhpReference } from './php-reference.js';
import type { SessionDocument } from './session-document.js';

/**
 * From now on the objects and references of `later`, a newer state of the session `earlier`, are those of `earlier`, in every
 * variable that is equal in both: values that were made of `earlier` can be given to `later.encodeWith`.
 *
 * @param equal the names of those variables
 */
export function shareIdentities(
  later: SessionDocument,
  earlier: SessionDocument,
  equal: ReadonlySet<string> = equalVariables(later, earlier),
): void {
  if (!later.mayShare || !earlier.mayShare) return;
  const pending: unknown[] = [];
  for (const name of equal) pending.push(earlier.get(name), later.get(name));
  shareIdentitiesOf(pending);
}

/**
 * The same for single values.
 *
 * @param pending earlier and later values in turns, each pair equal; it is used up
 */
export function shareIdentitiesOf(pending: unknown[]): void {
  const visited = new Set<object>();
  while (pending.length > 0) {
    const copy = pending.pop();
    const original = pending.pop();
    if (!isObject(copy) || !isObject(original) || visited.has(copy)) continue;
    visited.add(copy);
    if (copy instanceof PhpReference) {
      if (!(original instanceof PhpReference)) continue;
      setOrigin(copy, original);
      pending.push(original.value, copy.value);
    } else if (copy instanceof PhpObject) {
      if (!(original instanceof PhpObject)) continue;
      setOrigin(copy, original);
      pairEntries(original.properties, copy.properties, pending);
    } else if (copy instanceof PhpCustomObject) {
      if (original instanceof PhpCustomObject) setOrigin(copy, original);
    } else {
      pairEntries(original, copy, pending);
    }
  }
}

function pairEntries(original: object, copy: object, pending: unknown[]): void {
  if (copy instanceof OrderedMap) {
    if (!(original instanceof OrderedMap)) return;
    for (const [key, value] of copy as Iterable<[PhpKey, unknown]>) pending.push(original.get(key), value);
    return;
  }
  for (const [key, value] of Object.entries(copy)) {
    if (Object.hasOwn(original, key)) pending.push((original as Record<string, unknown>)[key], value);
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
}
