/** Containers that are being written, whatever the format: which elements they have and how far a writer is. */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { isWellFormed } from '../common/well-formed.js';
import type { OrderedMap, PhpKey } from './ordered-map.js';
import type { PhpClassName } from './php-object.js';

/** A container that is being written. */
export type WriterFrame = ArrayFrame | MapFrame;

/** An array that is being written. */
export type ArrayFrame =
  | {
      /** A JavaScript array without gaps. */
      readonly kind: 'list';
      /** Its elements. */
      readonly items: readonly unknown[];
      /** The element that comes next. */
      at: number;
    }
  | {
      /** A plain object, or an array with gaps. */
      readonly kind: 'record';
      /** The object. */
      readonly record: object;
      /** The values of the keys. */
      readonly values: readonly unknown[];
      /** Its keys. */
      readonly keys: readonly string[];
      /** The key that comes next. */
      at: number;
    };

/** A map that is being written. */
export interface MapFrame {
  /** A map with PHP's keys. */
  readonly kind: 'map';
  /** The entries that are left. */
  readonly entries: Iterator<[PhpKey, unknown]>;
  /** The key that is being written. */
  key: PhpKey;
}

/** The frame of a JavaScript array; elements that were never set do not exist in PHP, the rest keep their places. */
export function arrayFrame(items: readonly unknown[]): ArrayFrame {
  for (let index = 0; index < items.length; index += 1) {
    if (items[index] === undefined && !(index in items)) {
      return recordFrame(items as unknown as Readonly<Record<string, unknown>>);
    }
  }
  return { kind: 'list', items, at: 0 };
}

/** The frame of a plain object. */
export function recordFrame(record: Readonly<Record<string, unknown>>): ArrayFrame {
  return { kind: 'record', record, values: Object.values(record), keys: Object.keys(record), at: 0 };
}

/** The frame of a map with PHP's keys. */
export function mapFrame(map: OrderedMap): MapFrame {
  return { kind: 'map', entries: map.entries(), key: '' };
}

/** How many elements a list or plain object has in PHP, where `undefined` does not exist. */
export function countOf(frame: ArrayFrame): number {
  if (frame.kind === 'list') return frame.items.length;
  let count = frame.keys.length;
  for (const value of frame.values) if (value === undefined) count -= 1;
  return count;
}

/** Whether a value is an object without a class of its own, in this realm or another. */
export function isPlain(value: object): value is Readonly<Record<string, unknown>> {
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * The bytes of a class name.
 *
 * @throws StormlampError `ERR_PHP_VALUE` when PHP would not take it for one.
 */
export function classNameBytes(className: PhpClassName, stack: readonly WriterFrame[]): Buffer {
  const bytes = typeof className === 'string' ? textBytes(className, stack) : className;
  if (/^[A-Za-z0-9_\x7f-\xff\\]+$/.test(bytes.toString('latin1')) && bytes[0] !== 92) return bytes;
  throw noCounterpart('an object whose class name is not one', stack);
}

/** What JavaScript's text can hold, and UTF-8 cannot. */
export const HALF_A_PAIR: string =
  'text with half of a surrogate pair (an emoji that was cut in two, say; `text.toWellFormed()` replaces it)';

/** The bytes of text. @throws StormlampError `ERR_PHP_VALUE` for text that is not Unicode. */
export function textBytes(text: string, stack: readonly WriterFrame[]): Buffer {
  if (!isWellFormed(text)) throw noCounterpart(HALF_A_PAIR, stack);
  return Buffer.from(text, 'utf8');
}

/** The error of a value that PHP does not have, with the path to it. */
export function noCounterpart(what: string, stack: readonly WriterFrame[]): StormlampError {
  const path = stack.map(placeOf).join('.');
  const place = path === '' ? 'the value' : `\`${path.length > 200 ? `${path.slice(0, 197)}...` : path}\``;
  return new StormlampError(
    ErrorCode.PHP_VALUE,
    `PHP has no counterpart of ${what}, found as ${place}; store text, numbers, arrays or plain objects`,
  );
}

function placeOf(frame: WriterFrame): string {
  if (frame.kind === 'list') return String(frame.at - 1);
  return String(frame.kind === 'record' ? frame.keys[frame.at - 1] : frame.key);
}
