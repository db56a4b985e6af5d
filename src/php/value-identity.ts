/** What makes two places the same object, or the same variable, to PHP. */
import { originOf } from './origin.js';
import { PhpCustomObject, PhpEnum, PhpObject } from './php-object.js';
import { PhpReference } from './php-reference.js';

/** What stands for "the same" when a value comes a second time: the object or reference itself, a name for an enum. */
export type ValueIdentity = object | string;

/** What an object handle is recognised by, undefined for everything that is not a PHP object. */
export function identityOf(value: unknown): ValueIdentity | undefined {
  if (value instanceof PhpObject || value instanceof PhpCustomObject) return originOf(value);
  // There is one object per case of an enum.
  if (value instanceof PhpEnum) return `${String(value.className)}:${value.caseName}`;
  return undefined;
}

/** The variable at the end of a chain of references, which is one reference in PHP; undefined when there is no end. */
export function innermost(reference: PhpReference): PhpReference | undefined {
  let inner = reference;
  for (let hops = 0; inner.value instanceof PhpReference; hops += 1) {
    if (hops > 1000) return undefined;
    inner = inner.value;
  }
  return inner;
}
