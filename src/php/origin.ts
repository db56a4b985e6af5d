/** Remembers which decoded object a copy stands for, so that the copy is still "the same" to PHP. */

const ORIGINS = new WeakMap<object, object>();

/** Says that `copy` stands for `original` wherever identity matters. */
export function setOrigin(copy: object, original: object): void {
  ORIGINS.set(copy, originOf(original));
}

/** The decoded object that `value` stands for: itself when it is no copy. */
export function originOf(value: object): object {
  return ORIGINS.get(value) ?? value;
}
