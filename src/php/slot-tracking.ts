/** How much a reader remembers of the places that references can name, and when it has to read again with more. */
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';

/**
 * What a reader keeps besides values: `none` stops at the first reference, `no-objects` at the first reference or
 * object, `all` remembers every slot, `opaque` too, but looks for none inside of objects that serialize themselves.
 */
export type SlotTracking = 'none' | 'no-objects' | 'all' | 'opaque';

/** What a reader throws that meets a reference and has not remembered its target. */
export const NO_SLOTS: StormlampError = new StormlampError(ErrorCode.UNSUPPORTED, 'References need slots');

/**
 * Reads without remembering slots, and once more with them when there are references.
 *
 * What a class wrote by itself may look like serialized values without having been written by `serialize()`: when the
 * numbers do not fit with its slots, they are tried without them.
 */
export function withSlotsIfNeeded<T>(first: 'none' | 'no-objects', read: (tracking: SlotTracking) => T): T {
  try {
    return read(first);
  } catch (error) {
    if (error !== NO_SLOTS) throw error;
  }
  try {
    return read('all');
  } catch (error) {
    if (!isStormlampError(error, ErrorCode.PHP_SYNTAX)) throw error;
    return read('opaque');
  }
}
