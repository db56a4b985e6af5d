/** What tells one content of an item from another in few bytes. */
import { createHash } from 'node:crypto';

/** The hash of an item's value and flags. */
export type CopyHash = string;

const HASH_CHARACTERS = 20;

/** The hash of a content: 120 bits of SHA-256, which nobody can make collide with somebody else's session. */
export function copyHash({ value, flags }: { readonly value: Buffer; readonly flags: number }): CopyHash {
  return createHash('sha256')
    .update(flags.toString(16))
    .update(' ')
    .update(value)
    .digest('base64url')
    .slice(0, HASH_CHARACTERS);
}

/** Whether two items have the same content. */
export function sameContent(
  a: { readonly value: Buffer; readonly flags: number },
  b: { readonly value: Buffer; readonly flags: number },
): boolean {
  return a.flags === b.flags && a.value.equals(b.value);
}
