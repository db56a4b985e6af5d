/** Finds the objects and references that an application edited in copies, so that the edits count everywhere. */
import { OrderedMap } from './ordered-map.js';
import { originOf } from './origin.js';
import { PhpObject } from './php-object.js';
import { PhpReference } from './php-reference.js';

/** The edited copies of decoded objects and references in new values, by what they are copies of. */
export function copiesIn(values: readonly unknown[]): Map<object, object> {
  const copies = new Map<object, object>();
  const visited = new Set<object>();
  const pending: unknown[] = [...values];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array || visited.has(value))
      continue;
    visited.add(value);
    const origin = originOf(value);
    if (origin !== value && !copies.has(origin)) copies.set(origin, value);
    if (value instanceof PhpReference) pending.push(value.value);
    else if (value instanceof PhpObject) for (const item of value.properties.values()) pending.push(item);
    else if (value instanceof OrderedMap) for (const item of value.values()) pending.push(item);
    else for (const item of Object.values(value)) pending.push(item);
  }
  return copies;
}
