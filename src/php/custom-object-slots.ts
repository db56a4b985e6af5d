/** The slots that are hidden in what a class serialized by itself (`C:`). */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { PhpCustomObject } from './php-object.js';

/** What is known of the contents of a custom object. */
export interface CustomObjectSlots {
  /** How many slots the contents take: PHP goes on counting when a class calls `serialize()` for its own data. */
  readonly count: number;
  /** The slot of the object, when its contents name slots by their numbers and are only right there. */
  readonly onlyAt: number | undefined;
}

const KNOWN = new WeakMap<PhpCustomObject, CustomObjectSlots>();

/** Remembers what a reader found out. */
export function rememberSlots(object: PhpCustomObject, slots: CustomObjectSlots): void {
  KNOWN.set(object, slots);
}

/** What a reader found out about an object that was decoded; undefined for any other. */
export function knownSlots(object: PhpCustomObject): CustomObjectSlots | undefined {
  return KNOWN.get(object);
}

/** The error of contents whose numbers would become wrong. */
export function cannotMove(): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    'The session holds an object that its class serialized itself with references inside, and the change would move ' +
      'what they refer to; change the session in PHP, or use __serialize() in that class',
  );
}
