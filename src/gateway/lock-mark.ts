/**
 * PHP's locks all have the same value, so that two of them, taken through two gateways while one was cut off from a node, could
 * not be told apart. What a gateway stores as a lock carries a mark; PHP's own handler looks at no lock's value, and clients of the
 * gateway get it without the mark.
 */
import { randomBytes, randomInt } from 'node:crypto';

const MARK = / stormlamp [\w-]{16}$/;
const MARK_BYTES = 27;

/** A lock's value that no other lock has. */
export function markLock(value: Buffer): Buffer {
  return Buffer.concat([value, Buffer.from(` stormlamp ${randomBytes(12).toString('base64url')}`)]);
}

/** The value that the client gave. */
export function unmarkLock(value: Buffer): Buffer {
  return MARK.test(value.toString('latin1', Math.max(0, value.length - MARK_BYTES)))
    ? value.subarray(0, value.length - MARK_BYTES)
    : value;
}

/** pecl-memcache's locks are numbers, and stay numbers: their mark is in the half of the client flags that it does not use. */
const FLAG_BITS = 0xffff;

/** The flags of a lock that is a number, so that no other lock has the same. */
export function markFlags(flags: number): number {
  return (flags & FLAG_BITS) + randomInt(1, FLAG_BITS + 1) * (FLAG_BITS + 1);
}

/** The flags that the client gave. */
export function unmarkFlags(flags: number): number {
  return flags & FLAG_BITS;
}
