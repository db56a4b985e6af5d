/** Requests of the binary protocol as bytes, written into a buffer that may take those of several calls. */
import type { WireRequest } from './wire-message.js';

const HEADER_BYTES = 24;
const REQUEST_MAGIC = 0x80;

/** How many bytes `requests` take. */
export function framesLength(requests: readonly WireRequest[]): number {
  let size = 0;
  for (const { key, extras, value } of requests)
    size += HEADER_BYTES + extras.length + Buffer.byteLength(key) + value.length;
  return size;
}

/**
 * Writes `requests` into `bytes`, one behind the other.
 *
 * @param start where the first one begins
 * @param sequence the number of the first one, which its answer repeats; each further one has the next number
 * @returns where they end
 */
export function writeFrames(
  bytes: Buffer,
  start: number,
  requests: readonly WireRequest[],
  sequence: number,
): number {
  let at = start;
  let number = sequence;
  for (const request of requests) {
    at = write(bytes, at, request, number);
    number += 1;
  }
  return at;
}

function write(bytes: Buffer, start: number, request: WireRequest, sequence: number): number {
  const { opcode, key, extras, value, cas } = request;
  const keyAt = start + HEADER_BYTES + extras.length;
  const keyBytes = writeKey(bytes, keyAt, key);
  const end = keyAt + keyBytes + value.length;
  bytes.writeUInt16BE((REQUEST_MAGIC << 8) | opcode, start);
  bytes.writeUInt16BE(keyBytes, start + 2);
  // Length of the extras; data type and virtual bucket are always 0.
  bytes.writeUInt32BE((extras.length << 24) >>> 0, start + 4);
  bytes.writeUInt32BE(end - start - HEADER_BYTES, start + 8);
  bytes.writeUInt32BE(sequence, start + 12);
  if (cas === 0n) {
    bytes.writeUInt32BE(0, start + 16);
    bytes.writeUInt32BE(0, start + 20);
  } else bytes.writeBigUInt64BE(cas, start + 16);
  for (let at = 0; at < extras.length; at += 1) bytes[start + HEADER_BYTES + at] = extras[at] ?? 0;
  if (value.length > 0) value.copy(bytes, keyAt + keyBytes);
  return end;
}

// Nearly all keys are short and ASCII, which costs less than to ask the engine to encode them.
function writeKey(bytes: Buffer, start: number, key: string): number {
  for (let at = 0; at < key.length; at += 1) {
    const code = key.charCodeAt(at);
    if (code > 0x7f) return bytes.write(key, start, 'utf8');
    bytes[start + at] = code;
  }
  return key.length;
}
