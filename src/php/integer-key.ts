/** The rule by which PHP turns decimal text into an integer array key. */

const CANONICAL = /^(?:0|-?[1-9][0-9]{0,18})$/;
const INT64_MAX = 9223372036854775807n;
const INT64_MIN = -9223372036854775808n;

/**
 * The integer that PHP makes of an array key that is text, or undefined when the key stays text: only what PHP itself
 * would print for an integer of 64 bits counts, so `'05'`, `'+5'`, `'-0'` and `'9223372036854775808'` stay text.
 */
export function integerOfKey(text: string): number | bigint | undefined {
  const first = text.charCodeAt(0);
  // Most keys begin with a letter; neither a digit nor a minus sign.
  if (!((first >= 48 && first <= 57) || first === 45) || !CANONICAL.test(text)) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  const big = BigInt(text);
  return big >= INT64_MIN && big <= INT64_MAX ? big : undefined;
}

/** Whether a BigInt fits PHP's 64-bit integer. */
export function fitsInt64(value: bigint): boolean {
  return value >= INT64_MIN && value <= INT64_MAX;
}
