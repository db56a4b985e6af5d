/** The hash functions by which PHP's extensions place keys; all give 32 bit unsigned numbers. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** A hash of bytes. */
export type KeyHash = (bytes: Buffer) => number;

/**
 * Jenkins' one-at-a-time, libmemcached's default. It reads bytes as C reads `char` on x86: those from 0x80 up count as negative.
 */
export function oneAtATime(bytes: Buffer): number {
  let hash = 0;
  for (const byte of bytes) {
    hash = (hash + signed(byte)) | 0;
    hash = (hash + (hash << 10)) | 0;
    hash ^= hash >>> 6;
  }
  hash = (hash + (hash << 3)) | 0;
  hash ^= hash >>> 11;
  hash = (hash + (hash << 15)) | 0;
  return hash >>> 0;
}

/** The first, second, third or fourth 32 bit of MD5, least significant byte first, as libketama reads it. */
export function md5Words(bytes: Buffer): readonly [number, number, number, number] {
  const digest = createHash('md5').update(bytes).digest();
  return [digest.readUInt32LE(0), digest.readUInt32LE(4), digest.readUInt32LE(8), digest.readUInt32LE(12)];
}

/** The first 32 bit of MD5. */
export function md5Hash(bytes: Buffer): number {
  return md5Words(bytes)[0];
}

/** CRC-32 as zlib computes it, pecl-memcache's default. */
export function crc32Hash(bytes: Buffer): number {
  return crc32(bytes);
}

/** FNV-1a with 32 bit, pecl-memcache's `fnv`; bytes from 0x80 up count as negative, as C reads `char` on x86. */
export function fnv1aHash(bytes: Buffer): number {
  let hash = 0x811c_9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ signed(byte), 0x0100_0193);
  return hash >>> 0;
}

function signed(byte: number): number {
  return byte < 0x80 ? byte : byte - 0x100;
}
