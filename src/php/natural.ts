/** Single values as plain JavaScript data and back; {@link SessionView} does the same for a whole session. */
import { NaturalRestorer } from './from-natural.js';
import { NaturalScope } from './natural-scope.js';
import { toNatural } from './to-natural.js';

/**
 * A mutable copy of a decoded value in natural form: floats are numbers, arrays of any order plain objects, references
 * the values that they share. BigInts, Buffers, PHP objects and enums keep their kind.
 *
 * Values that belong together, the variables of one session, should be viewed in the same `scope`.
 */
export function naturalView(decoded: unknown, scope: NaturalScope = new NaturalScope()): unknown {
  return toNatural(decoded, scope);
}

/**
 * The value to serialize for natural data that stands where `originalDecoded` stood (undefined for a new place):
 * numbers are floats where there was a float, arrays get their order and references their ties back.
 */
export function encodeNatural(
  currentValue: unknown,
  originalDecoded: unknown,
  scope: NaturalScope = new NaturalScope(),
): unknown {
  return new NaturalRestorer(scope).restore(currentValue, originalDecoded);
}
