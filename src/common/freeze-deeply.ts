/** Makes values that are handed out immutable, down to their leaves. */

/**
 * The same value, frozen with all the plain objects and lists in it; errors, maps and other objects stay as they are. What is
 * frozen already is taken to be so down to its leaves: a value that was made of frozen parts costs only what is new in it.
 */
export function freezeDeeply<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || !isPlain(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) freezeDeeply(part);
  return value;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === Array.prototype || prototype === null;
}
