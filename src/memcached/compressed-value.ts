/** Values of PHP's `Memcached` class, which compresses long ones and says so in the item's flags (php_memcached.c; measured). */
import { inflateSync } from 'node:zlib';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { decompressFastlz } from './fastlz.js';

/** The bits of the flags that say how a value is compressed. */
export const COMPRESSION_FLAGS: {
  readonly compressed: number;
  readonly zlib: number;
  readonly fastlz: number;
  readonly zstd: number;
} = { compressed: 0x10, zlib: 0x20, fastlz: 0x40, zstd: 0x80 };

/** In front of what is compressed: how long it was, 32 bit, little endian. */
export const COMPRESSED_LENGTH_BYTES = 4;

/**
 * The bytes of a value before PHP compressed it; those of any other value as they are.
 *
 * @param maxBytes bound on the result, checked before anything is allocated
 * @throws StormlampError `ERR_PHP_SYNTAX` for damaged bytes, `ERR_PHP_LIMIT` for what would be longer than `maxBytes`,
 * `ERR_UNSUPPORTED` for zstd.
 */
export function decompressValue(value: Buffer, flags: number, maxBytes: number): Buffer {
  const { compressed, fastlz, zstd } = COMPRESSION_FLAGS;
  if ((flags & compressed) === 0) return value;
  if ((flags & zstd) !== 0) {
    throw new StormlampError(
      ErrorCode.UNSUPPORTED,
      'The value is compressed with zstd, which is not read; set memcached.compression_type to fastlz or zlib',
    );
  }
  if (value.length < COMPRESSED_LENGTH_BYTES) throw damaged('is shorter than its length');
  const length = value.readUInt32LE(0);
  if (length > maxBytes) {
    throw new StormlampError(
      ErrorCode.PHP_LIMIT,
      `The value is ${length} bytes long when it is decompressed; ${maxBytes} are allowed`,
    );
  }
  const packed = value.subarray(COMPRESSED_LENGTH_BYTES);
  const bytes = (flags & fastlz) === 0 ? inflated(packed, length) : decompressFastlz(packed, length);
  if (bytes?.length !== length) throw damaged('cannot be decompressed');
  return bytes;
}

function inflated(packed: Buffer, length: number): Buffer | undefined {
  try {
    return inflateSync(packed, { maxOutputLength: Math.max(1, length) });
  } catch {
    return undefined;
  }
}

function damaged(what: string): StormlampError {
  return new StormlampError(ErrorCode.PHP_SYNTAX, `A compressed value of the Memcached class ${what}`);
}
