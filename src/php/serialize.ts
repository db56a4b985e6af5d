/** `serialize()` of PHP. */
import { type PhpLimits, resolvePhpLimits } from './php-limits.js';
import { ValueWriter } from './value-writer.js';

/**
 * Writes a value exactly as PHP's `serialize()` would.
 *
 * Integral numbers within 2^53 become ints, all other numbers floats; use {@link PhpFloat} for `100.0`. Arrays, plain
 * objects and {@link PhpArray} become arrays, keys of decimal text become integer keys as in PHP. `undefined` is left
 * out of objects and is null elsewhere. Text is written as UTF-8, a Buffer as it is.
 *
 * @throws StormlampError `ERR_PHP_VALUE` for what PHP does not have (functions, dates, maps, integers beyond 64 bits, text with
 * half of a surrogate pair, which Node would turn into U+FFFD),
 * `ERR_PHP_LIMIT` for what exceeds `limits`, cyclic arrays included.
 */
export function serialize(value: unknown, limits?: PhpLimits): Buffer {
  const writer = new ValueWriter(resolvePhpLimits(limits));
  writer.write(value);
  return writer.toBuffer();
}
