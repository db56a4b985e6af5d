/** `unserialize()` of PHP, with values that serialize back to the same bytes. */
import { ContainerFrame } from './container-frame.js';
import { type PhpLimits, resolvePhpLimits } from './php-limits.js';
import { PhpReference } from './php-reference.js';
import { withSlotsIfNeeded } from './slot-tracking.js';
import { ValueReader } from './value-reader.js';

/**
 * Reads what PHP's `serialize()` wrote.
 *
 * | PHP | JavaScript |
 * |---|---|
 * | null, bool | `null`, boolean |
 * | int | number, BigInt beyond 2^53 |
 * | float | number; {@link PhpFloat} when the value is integral or -0 |
 * | string | string; Buffer when the bytes are not UTF-8 |
 * | array with keys 0, 1, 2, … (also the empty one) | array |
 * | other array | plain object; {@link PhpArray} when a plain object cannot hold its keys or their order |
 * | object, opaque object, enum | {@link PhpObject}, {@link PhpCustomObject}, {@link PhpEnum} |
 * | variable bound with & | {@link PhpReference} |
 *
 * Names like `__proto__` are ordinary own properties. Bytes behind the value are ignored, as PHP does.
 *
 * @throws StormlampError `ERR_PHP_SYNTAX` with the byte offset when PHP would refuse the data, `ERR_PHP_LIMIT` when it
 * exceeds `limits`.
 */
export function unserialize(data: Uint8Array | string, limits?: PhpLimits): unknown {
  const bytes = asBuffer(data);
  const resolved = resolvePhpLimits(limits);
  return withSlotsIfNeeded('none', (tracking) => {
    const reader = new ValueReader(bytes, resolved, tracking);
    const root = new ContainerFrame(1, undefined);
    reader.readInto(root);
    const value = root.at(0);
    return value instanceof PhpReference ? value.value : value;
  });
}

/** The same bytes as a Buffer; text is taken as UTF-8. */
export function asBuffer(data: Uint8Array | string): Buffer {
  if (typeof data === 'string') return Buffer.from(data, 'utf8');
  return Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
