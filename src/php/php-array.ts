/** A PHP array that neither a JavaScript array nor a plain object can hold. */
import { integerOfKey } from './integer-key.js';
import { OrderedMap, type PhpKey } from './ordered-map.js';

/**
 * An ordered PHP array whose order or keys JavaScript objects cannot represent: integer keys out of ascending order,
 * an integer key after a text key, keys that are not UTF-8.
 *
 * Keys are folded as PHP folds them: `'5'` and `5` are one key, `'05'` is another.
 */
export class PhpArray extends OrderedMap {
  /** Folds decimal text to the integer key that PHP makes of it. */
  protected override normalize(key: PhpKey): PhpKey {
    if (typeof key === 'string') return integerOfKey(key) ?? key;
    return super.normalize(key);
  }

  /** A plain object (the order of integer keys is lost), for `JSON.stringify`. */
  toJSON(): Record<string, unknown> {
    return Object.fromEntries(Array.from(this, ([key, value]) => [String(key), value]));
  }
}
