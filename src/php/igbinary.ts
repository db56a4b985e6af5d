/** `igbinary_serialize()` and `igbinary_unserialize()` of PHP's igbinary extension. */
import { IgbinaryReader } from './igbinary-reader.js';
import { IgbinaryWriter } from './igbinary-writer.js';
import { type PhpLimits, resolvePhpLimits } from './php-limits.js';
import { PhpReference } from './php-reference.js';
import { asBuffer } from './unserialize.js';

/**
 * Writes a value exactly as PHP's `igbinary_serialize()` would. It takes the values that {@link serialize} takes.
 * The same JavaScript array at several places is written once, as PHP does with arrays that it shares.
 *
 * @throws StormlampError `ERR_PHP_VALUE` for what PHP does not have, `ERR_PHP_LIMIT` for what exceeds `limits`.
 */
export function serializeIgbinary(value: unknown, limits?: PhpLimits): Buffer {
  return new IgbinaryWriter(resolvePhpLimits(limits)).write(value);
}

/**
 * Reads what `igbinary_serialize()` wrote, into the values that {@link unserialize} gives. An array that PHP shares
 * between places is one JavaScript array.
 *
 * @throws StormlampError `ERR_PHP_SYNTAX` for anything else, data behind the value included, `ERR_PHP_LIMIT` when it
 * exceeds `limits`.
 */
export function unserializeIgbinary(data: Uint8Array, limits?: PhpLimits): unknown {
  const reader = new IgbinaryReader(asBuffer(data), resolvePhpLimits(limits));
  const value = reader.read();
  if (reader.position < reader.bytes.length) throw reader.syntax('the end of the data');
  return value instanceof PhpReference ? value.value : value;
}
