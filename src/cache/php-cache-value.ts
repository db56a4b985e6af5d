/** Values as PHP's `Memcached` class stores them: what kind they are is in the item's flags (measured, php-memcached 3.2.0). */
import { deflateSync } from 'node:zlib';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { isWellFormed } from '../common/well-formed.js';
import {
  COMPRESSED_LENGTH_BYTES,
  COMPRESSION_FLAGS,
  decompressValue,
} from '../memcached/compressed-value.js';
import { compressFastlz } from '../memcached/fastlz.js';
import { serializeIgbinary, unserializeIgbinary } from '../php/igbinary.js';
import { naturalView } from '../php/natural.js';
import { serialize } from '../php/serialize.js';
import { unserialize } from '../php/unserialize.js';

/** What PHP serializes arrays and objects with: its `Memcached::OPT_SERIALIZER`. */
export type CacheSerializer = 'php' | 'igbinary' | 'json';
/** What long values are compressed with: `Memcached::OPT_COMPRESSION_TYPE`, or `'none'`. */
export type CacheCompression = 'fastlz' | 'zlib' | 'none';

/** How values are written. Values of every kind are read. */
export interface CacheValueFormat {
  /** For arrays, objects and null. */
  readonly serializer: CacheSerializer;
  /** For strings and serialized values that are long enough. */
  readonly compression: CacheCompression;
  /** Shorter ones are not compressed, in bytes: `memcached.compression_threshold`. */
  readonly compressAboveBytes: number;
  /** Longer ones are not stored, and not decompressed, in bytes. */
  readonly maxBytes: number;
}

/** Bytes and the flags that say what they are. */
export interface StoredCacheValue {
  readonly value: Buffer;
  /** The lower 16 bits are PHP's, the upper ones free for applications. */
  readonly flags: number;
}

const Kind = { STRING: 0, LONG: 1, DOUBLE: 2, BOOL: 3, SERIALIZED: 4, IGBINARY: 5, JSON: 6 } as const;
const KIND_MASK = 0x0f;
/** Less gain than this is not worth it: `memcached.compression_factor`. */
const COMPRESSION_FACTOR = 1.3;

/**
 * The value as PHP would store it. Integers are PHP integers, other numbers floats, Buffers and text strings, everything else
 * is serialized.
 *
 * @throws StormlampError `ERR_PHP_VALUE` for what PHP does not have.
 */
export function encodeCacheValue(value: unknown, format: CacheValueFormat): StoredCacheValue {
  switch (typeof value) {
    case 'string':
      if (!isWellFormed(value)) {
        throw new StormlampError(
          ErrorCode.PHP_VALUE,
          'A value is text with half of a surrogate pair, which PHP does not have (an emoji that was cut in two, say); `text.toWellFormed()` replaces it',
        );
      }
      return compressed(Buffer.from(value), Kind.STRING, format);
    case 'boolean':
      return { value: Buffer.from(value ? '1' : ''), flags: Kind.BOOL };
    case 'bigint':
      if (BigInt.asIntN(64, value) === value) return { value: Buffer.from(String(value)), flags: Kind.LONG };
      break;
    case 'number':
      return Number.isSafeInteger(value) && !Object.is(value, -0)
        ? { value: Buffer.from(String(value)), flags: Kind.LONG }
        : { value: Buffer.from(Object.is(value, -0) ? '-0' : String(value)), flags: Kind.DOUBLE };
    default:
  }
  if (value instanceof Uint8Array) return compressed(Buffer.from(value), Kind.STRING, format);
  switch (format.serializer) {
    case 'igbinary':
      return compressed(serializeIgbinary(value), Kind.IGBINARY, format);
    case 'json':
      return compressed(Buffer.from(jsonText(value)), Kind.JSON, format);
    default:
      return compressed(serialize(value), Kind.SERIALIZED, format);
  }
}

/**
 * The value that PHP, or {@link encodeCacheValue}, stored: plain JavaScript data, strings that are not UTF-8 as Buffers.
 *
 * @throws StormlampError `ERR_PHP_SYNTAX` for damaged bytes, `ERR_PHP_LIMIT` for what is longer than `maxBytes`,
 * `ERR_UNSUPPORTED` for kinds that are not read (msgpack, zstd).
 */
export function decodeCacheValue({ value, flags }: StoredCacheValue, maxBytes: number): unknown {
  const bytes = decompressValue(value, flags, maxBytes);
  const text = (): string => bytes.toString('latin1');
  switch (flags & KIND_MASK) {
    case Kind.STRING:
      return textOrBytes(bytes);
    case Kind.LONG:
      return longOf(text());
    case Kind.DOUBLE:
      return doubleOf(text());
    case Kind.BOOL:
      return bytes.length > 0 && bytes[0] === 0x31;
    case Kind.SERIALIZED:
      return naturalView(unserialize(bytes));
    case Kind.IGBINARY:
      return naturalView(unserializeIgbinary(bytes));
    case Kind.JSON:
      return jsonOf(bytes);
    default:
      throw unsupported(`of kind ${flags & KIND_MASK} (msgpack?)`);
  }
}

// JSON leaves out or changes what it does not have; what would be stored as something else is refused.
function jsonText(value: unknown): string {
  const check = function (this: unknown, name: string, replaced: unknown): unknown {
    const what = strangeToJson(this as object, name);
    if (what !== undefined) throw noJson(name, what);
    return replaced;
  };
  try {
    return JSON.stringify(value, check) ?? 'null';
  } catch (error) {
    if (error instanceof StormlampError) throw error;
    throw noJson('', 'a value that contains itself', error);
  }
}

// PHP takes no text with half of a surrogate pair from JSON, which escapes it.
function strangeToJson(holder: object, name: string): string | undefined {
  const given = (holder as Record<string, unknown>)[name];
  switch (typeof given) {
    case 'bigint':
    case 'symbol':
    case 'function':
      return `a ${typeof given}`;
    case 'number':
      return Number.isFinite(given) ? undefined : String(given);
    case 'string':
      return isWellFormed(given) ? undefined : 'text with half of a surrogate pair';
    case 'undefined':
      return Array.isArray(holder) ? 'an empty place of an array' : undefined;
    default:
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return undefined;
  if (![null, Object.prototype].includes(Object.getPrototypeOf(given) as object | null))
    return 'an object of a class';
  return Object.keys(given).every(isWellFormed)
    ? undefined
    : 'an object with half of a surrogate pair in a name';
}

function noJson(name: string, what: string, cause?: unknown): StormlampError {
  return new StormlampError(
    ErrorCode.PHP_VALUE,
    `${name === '' ? 'A value' : `\`${name}\``} is ${what}, which JSON does not have; give plain data, or use the serializer 'php'`,
    { cause },
  );
}

function compressed(bytes: Buffer, kind: number, format: CacheValueFormat): StoredCacheValue {
  const { compression, compressAboveBytes, maxBytes } = format;
  // Who made one that is too long gets it from these bytes, which nobody decompresses.
  if (compression === 'none' || bytes.length <= compressAboveBytes || bytes.length > maxBytes)
    return { value: bytes, flags: kind };
  const packed = compression === 'zlib' ? deflateSync(bytes) : compressFastlz(bytes);
  if (bytes.length < packed.length * COMPRESSION_FACTOR) return { value: bytes, flags: kind };
  const value = Buffer.allocUnsafe(COMPRESSED_LENGTH_BYTES + packed.length);
  value.writeUInt32LE(bytes.length, 0);
  packed.copy(value, COMPRESSED_LENGTH_BYTES);
  return { value, flags: kind | COMPRESSION_FLAGS.compressed | COMPRESSION_FLAGS[compression] };
}

function textOrBytes(bytes: Buffer): string | Buffer {
  const text = bytes.toString('utf8');
  // U+FFFD may stand for itself, or for bytes that are not UTF-8.
  // A copy: what was stored may be read again, and whoever gets these bytes may change them.
  return text.includes('\ufffd') && !Buffer.from(text).equals(bytes) ? Buffer.from(bytes) : text;
}

function longOf(text: string): number | bigint {
  if (!/^-?\d{1,19}$/.test(text.trim())) throw damaged('is no integer');
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text.trim());
}

function doubleOf(text: string): number {
  const value = text === 'NaN' ? Number.NaN : Number(text);
  if (text === '' || (Number.isNaN(value) && text !== 'NaN')) throw damaged('is no number');
  return value;
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch (error) {
    throw new StormlampError(ErrorCode.PHP_SYNTAX, 'A cached value is no JSON', { cause: error });
  }
}

function damaged(how: string): StormlampError {
  return new StormlampError(ErrorCode.PHP_SYNTAX, `A cached value ${how}`);
}

function unsupported(what: string): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    `A cached value is ${what}, which is not read; let PHP use the serializers php, igbinary or json and the compressions fastlz or zlib`,
  );
}
