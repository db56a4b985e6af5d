/** A request of the binary protocol before it is bytes. */
import type { Opcode } from './opcode.js';

/** A request. */
export interface WireRequest {
  /** The command. */
  readonly opcode: Opcode;
  /** The key, already checked; empty for commands without one. */
  readonly key: string;
  /** The command's own fields. */
  readonly extras: Buffer;
  /** The value; empty for commands without one. */
  readonly value: Buffer;
  /** Only do it to this version of the item; 0 for any. */
  readonly cas: bigint;
}

/** Nothing. */
export const NO_BYTES: Buffer = Buffer.alloc(0);
