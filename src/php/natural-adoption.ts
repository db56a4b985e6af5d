/** Ties natural data that an application already holds to newly decoded values of the same shape. */
import { type NaturalScope, setSource } from './natural-scope.js';
import { OrderedMap, type PhpKey } from './ordered-map.js';
import { setOrigin } from './origin.js';
import { PhpObject } from './php-object.js';
import { PhpReference } from './php-reference.js';

/**
 * From now on `natural` counts as made of `decoded` in `scope`, container by container as far as they correspond.
 *
 * @param visited what needs no second look; what is looked at is added
 */
export function adopt(
  natural: unknown,
  decoded: unknown,
  scope: NaturalScope,
  visited: WeakSet<object>,
): void {
  const pending: unknown[] = [natural, decoded];
  while (pending.length > 0) {
    let source = pending.pop();
    const copy = pending.pop();
    if (source instanceof PhpReference) {
      scope.references.set(source, copy);
      source = source.value;
    }
    if (!isObject(copy) || !isObject(source) || visited.has(copy)) continue;
    visited.add(copy);
    if (copy instanceof PhpObject) {
      if (!(source instanceof PhpObject)) continue;
      setOrigin(copy, source);
      scope.objects.set(source, copy);
      pairEntries(copy.properties, source.properties, pending);
    } else if (Array.isArray(copy)) {
      setSource(copy, source);
      if (!Array.isArray(source)) continue;
      for (const [index, item] of source.entries()) pending.push(copy[index], item);
    } else {
      setSource(copy, source);
      pairEntries(copy, source, pending);
    }
  }
}

function pairEntries(copy: object, source: object, pending: unknown[]): void {
  const entries: Iterable<[PhpKey, unknown]> = source instanceof OrderedMap ? source : Object.entries(source);
  for (const [key, value] of entries) {
    if (copy instanceof OrderedMap) pending.push(copy.get(key), value);
    else if (Object.hasOwn(copy, String(key))) {
      pending.push((copy as Readonly<Record<string, unknown>>)[String(key)], value);
    }
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
}
