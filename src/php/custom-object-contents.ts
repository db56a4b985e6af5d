/** Finds the slots inside a custom object that an application made, or that another format held. */

import { isStormlampError } from '../common/stormlamp-error.js';
import { ContainerFrame } from './container-frame.js';
import { type CustomObjectSlots, knownSlots } from './custom-object-slots.js';
import { DEFAULT_PHP_LIMITS } from './php-limits.js';
import type { PhpCustomObject } from './php-object.js';
import { ValueReader } from './value-reader.js';

/** The slots of an object's contents: those that a reader counted, or those of the contents by themselves. */
export function slotsOf(object: PhpCustomObject): CustomObjectSlots {
  const known = knownSlots(object);
  if (known !== undefined) return known;
  const reader = new ValueReader(object.data, DEFAULT_PHP_LIMITS, 'none');
  try {
    while (reader.position < object.data.length) reader.readInto(new ContainerFrame(1, undefined));
  } catch (error) {
    if (isStormlampError(error)) return { count: 0, onlyAt: undefined };
    throw error;
  }
  return { count: reader.slotCount, onlyAt: undefined };
}
