/** Answers of the binary protocol. */
import type { ItemAnswer } from './item-command.js';

/** Statuses of the binary protocol. */
export const BinaryStatus = {
  OK: 0x00,
  NOT_FOUND: 0x01,
  EXISTS: 0x02,
  TOO_LARGE: 0x03,
  INVALID: 0x04,
  NOT_STORED: 0x05,
  NOT_A_NUMBER: 0x06,
  AUTH_ERROR: 0x20,
  UNKNOWN_COMMAND: 0x81,
  TEMPORARY_FAILURE: 0x86,
} as const;

/** One of the numbers of {@link BinaryStatus}. */
export type BinaryStatus = (typeof BinaryStatus)[keyof typeof BinaryStatus];

/** What an answer takes over from its request. */
export interface BinaryOrigin {
  /** The command's number, with its quiet form. */
  readonly opcode: number;
  /** The client's own mark, four bytes. */
  readonly opaque: number;
}

const HEADER_BYTES = 24;
const NONE: Buffer = Buffer.alloc(0);

const TEXTS: Readonly<Record<number, string>> = {
  [BinaryStatus.NOT_FOUND]: 'Not found',
  [BinaryStatus.EXISTS]: 'Data exists for key.',
  [BinaryStatus.TOO_LARGE]: 'Too large.',
  [BinaryStatus.INVALID]: 'Invalid arguments',
  [BinaryStatus.NOT_STORED]: 'Not stored.',
  [BinaryStatus.NOT_A_NUMBER]: 'Non-numeric server-side value for incr or decr',
  [BinaryStatus.AUTH_ERROR]: 'Auth failure.',
  [BinaryStatus.UNKNOWN_COMMAND]: 'Unknown command',
};

/** A whole answer. */
export function binaryAnswer(
  { opcode, opaque }: BinaryOrigin,
  status: number,
  parts: { readonly extras?: Buffer; readonly key?: Buffer; readonly value?: Buffer; readonly cas?: bigint },
): Buffer {
  const { extras = NONE, key = NONE, value = NONE, cas = 0n } = parts;
  const body = extras.length + key.length + value.length;
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + body);
  bytes[0] = 0x81;
  bytes[1] = opcode;
  bytes.writeUInt16BE(key.length, 2);
  bytes[4] = extras.length;
  bytes[5] = 0;
  bytes.writeUInt16BE(status, 6);
  bytes.writeUInt32BE(body, 8);
  bytes.writeUInt32BE(opaque, 12);
  if (cas === 0n) bytes.fill(0, 16, 24);
  else bytes.writeBigUInt64BE(cas, 16);
  let at = HEADER_BYTES;
  at += extras.copy(bytes, at);
  at += key.copy(bytes, at);
  value.copy(bytes, at);
  return bytes;
}

/** An error, in memcached's words unless there are better ones. */
export function binaryError(origin: BinaryOrigin, status: BinaryStatus, text?: string): Buffer {
  return binaryAnswer(origin, status, { value: Buffer.from(text ?? TEXTS[status] ?? '') });
}

/** An item, with its key when it was asked for. */
export function binaryItem(
  origin: BinaryOrigin,
  answer: ItemAnswer & { status: 'hit' },
  key: Buffer | undefined,
): Buffer {
  const { flags, value, cas } = answer.item;
  const extras = Buffer.allocUnsafe(4);
  extras.writeUInt32BE(flags, 0);
  return binaryAnswer(origin, BinaryStatus.OK, { extras, value, cas, ...(key === undefined ? {} : { key }) });
}

/** The gateway's figures, one answer each, and an empty one at the end; undefined: no such group. */
export function binaryStats(origin: BinaryOrigin, figures: ReadonlyMap<string, string> | undefined): Buffer {
  if (figures === undefined) return binaryError(origin, BinaryStatus.NOT_FOUND);
  const answers = Array.from(figures, ([name, value]) =>
    binaryAnswer(origin, BinaryStatus.OK, { key: Buffer.from(name), value: Buffer.from(value) }),
  );
  return Buffer.concat([...answers, binaryAnswer(origin, BinaryStatus.OK, {})]);
}
