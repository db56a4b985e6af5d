/** One request and one answer of the binary protocol, before and after they are bytes. */
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

/** An answer, or one part of it when the command is answered in several. */
export interface WireResponse {
  /** The fields of the header that are used. */
  readonly header: {
    readonly opcode: number;
    readonly status: number;
    readonly totalBodyLength: number;
    readonly cas: Buffer;
  };
  /** The key, for statistics their name. */
  readonly key: Buffer;
  /** The command's own fields. */
  readonly extras: Buffer;
  /** The value. */
  readonly val: Buffer;
}

/** Nothing. */
export const NO_BYTES: Buffer = Buffer.alloc(0);
