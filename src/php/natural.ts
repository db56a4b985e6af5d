/** Single values as plain JavaScript data and back; {@link SessionView} does the same for a whole session. */
import { NaturalRestorer } from './from-natural.js';
import { NaturalMemory } from './natural-memory.js';
import { toNatural } from './to-natural.js';

// Everything in it is held weakly, by the very values that it is about.
const MEMORY: NaturalMemory = new NaturalMemory();

/**
 * A mutable copy of a decoded value in natural form: floats are numbers, arrays of any order plain objects, references
 * the values that they share. BigInts, Buffers, PHP objects and enums keep their kind.
 */
export function naturalView(decoded: unknown): unknown {
  return toNatural(decoded, MEMORY);
}

/**
 * The value to serialize for natural data that stands where `originalDecoded` stood (undefined for a new place):
 * numbers are floats where there was a float, arrays get their order and references their ties back.
 */
export function encodeNatural(currentValue: unknown, originalDecoded: unknown): unknown {
  return new NaturalRestorer(MEMORY).restore(currentValue, originalDecoded);
}
