/** An item with the time that it still lives, as the text protocol's meta commands tell it. */
import type { MemcachedItem } from './memcached-node.js';

/** An item with the time that it still lives. */
export interface LivingItem extends MemcachedItem {
  /** The seconds it still lives by the server's own clock; undefined for ever. */
  readonly remainingSeconds: number | undefined;
}

/** What is told of an item before its value. */
export interface ItemHead {
  /** The length of the value, in bytes. */
  readonly length: number;
  /** The seconds it still lives; negative for ever. */
  readonly seconds: number;
  /** Client flags. */
  readonly flags: number;
  /** Its version. */
  readonly cas: bigint;
}

const ITEM_LINE = /^VA (\d{1,10}) t(-?\d{1,10}) f(\d{1,10}) c(\d{1,20})$/;

/** What a line says of the item whose value comes next; undefined for another line. */
export function itemHead(line: string): ItemHead | undefined {
  const match = ITEM_LINE.exec(line);
  if (match === null) return undefined;
  const [, length, ttl, flags, cas = '0'] = match;
  return { length: Number(length), seconds: Number(ttl), flags: Number(flags), cas: BigInt(cas) };
}

/** The item whose value is `bytes`, with the end of line behind it. */
export function livingItem({ seconds, flags, cas }: ItemHead, bytes: Buffer): LivingItem {
  return { value: bytes.subarray(0, -2), flags, cas, remainingSeconds: seconds < 0 ? undefined : seconds };
}
