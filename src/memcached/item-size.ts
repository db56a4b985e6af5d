/** How large a value one memcached item may hold. A larger one must not be sent: memcached drops the old item before it refuses the new one. */

/** `item_size_max` of a memcached that was started without `-I`. */
export const DEFAULT_ITEM_BYTES = 1_048_576;

/** What memcached needs for an item beside key and value: its header, CAS id, flags and line end. */
const ITEM_OVERHEAD = 63;

/** The largest value in bytes that fits under a key of `keyBytes` on a server whose `item_size_max` is `itemBytes`. */
export function maxValueBytes(itemBytes: number, keyBytes: number): number {
  return Math.max(0, itemBytes - ITEM_OVERHEAD - keyBytes);
}
