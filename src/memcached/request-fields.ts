/** What requests of the binary protocol are made of, checked: what a server would misread is refused before it is sent. */
import { invalidOption } from '../common/option-reader.js';
import { MAX_EXPTIME } from './exptime.js';
import { assertKey } from './memcached-key.js';
import type { StoreOptions } from './memcached-node.js';
import { Opcode } from './opcode.js';
import { NO_BYTES, type WireRequest } from './wire-message.js';

/** The largest number of 64 bits. */
export const UINT64_MAX = 0xffff_ffff_ffff_ffffn;

/** A request of nothing but its opcode. */
export function bare(opcode: Opcode): WireRequest {
  return { opcode, key: '', extras: NO_BYTES, value: NO_BYTES, cas: 0n };
}

/** A request about one item. Throws `ERR_INVALID_KEY`. */
export function keyed(opcode: Opcode, key: string): WireRequest {
  assertKey(key);
  return { opcode, key, extras: NO_BYTES, value: NO_BYTES, cas: 0n };
}

/** A request for statistics: the general ones, or those of `group`. */
export function statsRequest(group: string): WireRequest {
  return group === '' ? bare(Opcode.STAT) : keyed(Opcode.STAT, group);
}

/** The fields of a store. */
export function storeExtras({ flags = 0, exptime }: StoreOptions): Buffer {
  if (!Number.isInteger(flags) || flags < 0 || flags > 0xffff_ffff) {
    throw invalidOption('flags', 'an integer from 0 to 4294967295', flags);
  }
  const extras = Buffer.allocUnsafe(8);
  extras.writeUInt32BE(flags, 0);
  extras.writeUInt32BE(checkedExptime(exptime), 4);
  return extras;
}

/** The fields of an increment. */
export function counterExtras(
  delta: bigint,
  options: { readonly initial: bigint; readonly exptime: number },
): Buffer {
  const extras = Buffer.allocUnsafe(20);
  extras.writeBigUInt64BE(counter('delta', delta), 0);
  extras.writeBigUInt64BE(counter('initial', options.initial), 8);
  extras.writeUInt32BE(checkedExptime(options.exptime), 16);
  return extras;
}

/** The field of a touch. */
export function exptimeExtras(exptime: number): Buffer {
  const extras = Buffer.alloc(4);
  extras.writeUInt32BE(checkedExptime(exptime), 0);
  return extras;
}

function checkedExptime(exptime: number): number {
  if (Number.isInteger(exptime) && exptime >= 0 && exptime <= MAX_EXPTIME) return exptime;
  throw invalidOption('exptime', 'an integer from 0 to 4294967295', exptime);
}

function counter(name: string, value: bigint): bigint {
  if (typeof value === 'bigint' && value >= 0n && value <= UINT64_MAX) return value;
  throw invalidOption(name, 'a bigint from 0 to 18446744073709551615', value);
}
