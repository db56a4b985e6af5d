/** Requests of the binary protocol as bytes: of one or of several at once, into one buffer. */
import type { WireRequest } from './wire-message.js';

const HEADER_BYTES = 24;
const REQUEST_MAGIC = 0x80;

/**
 * The bytes of `requests`, one behind the other.
 *
 * @param sequence the number of each, which its answer repeats
 */
export function requestFrames(requests: readonly WireRequest[], sequence: readonly number[]): Buffer {
  let size = 0;
  for (const { key, extras, value } of requests)
    size += HEADER_BYTES + extras.length + Buffer.byteLength(key) + value.length;
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const [place, request] of requests.entries()) at = write(bytes, at, request, sequence[place] ?? 0);
  return bytes;
}

function write(bytes: Buffer, start: number, request: WireRequest, sequence: number): number {
  const { opcode, key, extras, value, cas } = request;
  const keyAt = start + HEADER_BYTES + extras.length;
  const keyBytes = bytes.write(key, keyAt, 'utf8');
  const end = keyAt + keyBytes + value.length;
  bytes.writeUInt16BE((REQUEST_MAGIC << 8) | opcode, start);
  bytes.writeUInt16BE(keyBytes, start + 2);
  // Length of the extras; data type and virtual bucket are always 0.
  bytes.writeUInt32BE((extras.length << 24) >>> 0, start + 4);
  bytes.writeUInt32BE(end - start - HEADER_BYTES, start + 8);
  bytes.writeUInt32BE(sequence, start + 12);
  if (cas === 0n) bytes.fill(0, start + 16, start + HEADER_BYTES);
  else bytes.writeBigUInt64BE(cas, start + 16);
  if (extras.length > 0) extras.copy(bytes, start + HEADER_BYTES);
  if (value.length > 0) value.copy(bytes, keyAt + keyBytes);
  return end;
}
