/** Writes values in the format of PHP's igbinary extension, as PHP does with `igbinary.compact_strings` on. */
import { isUtf8 } from 'node:buffer';
import { isWellFormed } from '../common/well-formed.js';
import { IGBINARY_VERSION, IgbinaryTag as Tag } from './igbinary-format.js';
import { fitsInt64, integerOfKey } from './integer-key.js';
import { OrderedMap, type PhpKey } from './ordered-map.js';
import { originOf } from './origin.js';
import { PhpFloat } from './php-float.js';
import { overLimit, type ResolvedPhpLimits } from './php-limits.js';
import { type PhpCustomObject, PhpEnum, PhpObject } from './php-object.js';
import { PhpReference } from './php-reference.js';
import { identityOf, innermost, type ValueIdentity } from './value-identity.js';
import {
  type ArrayFrame,
  arrayFrame,
  countOf,
  HALF_A_PAIR,
  isPlain,
  mapFrame,
  noCounterpart,
  recordFrame,
  textBytes,
  type WriterFrame,
} from './writer-frame.js';

/** Collects the bytes of one igbinary document. */
export class IgbinaryWriter {
  readonly #limits: ResolvedPhpLimits;
  readonly #substitutes: ReadonlyMap<object, object>;
  readonly #stack: WriterFrame[] = [];
  readonly #strings = new Map<string, number>();
  readonly #byteStrings = new Map<string, number>();
  readonly #references = new Map<ValueIdentity, number>();
  #stringCount = 0;
  #referenceCount = 0;
  #valueCount = 0;
  #buffer: Buffer = Buffer.allocUnsafe(1024);
  #at = 4;

  /** Makes a writer; `substitutes` names what is written in the place of decoded objects and references. */
  constructor(limits: ResolvedPhpLimits, substitutes: ReadonlyMap<object, object> = new Map()) {
    this.#limits = limits;
    this.#substitutes = substitutes;
    this.#buffer.writeUInt32BE(IGBINARY_VERSION, 0);
  }

  /**
   * The document that holds `value`.
   *
   * @throws StormlampError `ERR_PHP_VALUE` when PHP has no such value, `ERR_PHP_LIMIT` when it is too deep or long.
   */
  write(value: unknown): Buffer {
    const stack = this.#stack;
    this.#value(value);
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      if (!this.#nextElement(frame)) stack.pop();
    }
    return this.#buffer.subarray(0, this.#at);
  }

  /** Writes elements until one is a container; false when there are no more. */
  #nextElement(frame: WriterFrame): boolean {
    const depth = this.#stack.length;
    if (frame.kind === 'map') {
      for (let next = frame.entries.next(); next.done !== true; next = frame.entries.next()) {
        const [key, value] = next.value;
        frame.key = key;
        this.#key(key);
        this.#value(value);
        if (this.#stack.length > depth) return true;
      }
      return false;
    }
    const count = frame.kind === 'list' ? frame.items.length : frame.keys.length;
    while (frame.at < count) {
      const at = frame.at;
      frame.at += 1;
      if (frame.kind === 'list') {
        this.#integer(at);
        this.#value(frame.items[at]);
      } else {
        const key = frame.keys[at] as string;
        const value = frame.values[at];
        if (value === undefined) continue;
        this.#key(integerOfKey(key) ?? key);
        this.#value(value);
      }
      if (this.#stack.length > depth) return true;
    }
    return false;
  }

  #key(key: PhpKey): void {
    if (typeof key === 'string') this.#string(key);
    else if (typeof key === 'object') this.#bytes(key);
    else this.#integer(key);
  }

  #value(value: unknown): void {
    this.#valueCount += 1;
    const { maxValues } = this.#limits;
    if (this.#valueCount > maxValues) throw overLimit('There are too many values', maxValues, 'maxValues');
    switch (typeof value) {
      case 'string':
        this.#string(value);
        return;
      case 'number':
        if (Number.isSafeInteger(value) && !Object.is(value, -0)) this.#integer(value);
        else this.#double(value);
        return;
      case 'boolean':
        this.#byte(value ? Tag.TRUE : Tag.FALSE);
        return;
      case 'undefined':
        this.#byte(Tag.NULL);
        return;
      case 'bigint':
        if (!fitsInt64(value)) {
          throw noCounterpart(`the integer ${value}, which exceeds 64 bits`, this.#stack);
        }
        this.#integer(value);
        return;
      case 'object':
        if (value === null) this.#byte(Tag.NULL);
        else this.#object(value);
        return;
      default:
        throw noCounterpart(`a ${typeof value}`, this.#stack);
    }
  }

  #object(given: object): void {
    const value = this.#substitutes.get(originOf(given)) ?? given;
    if (value instanceof PhpReference) {
      this.#reference(value);
      return;
    }
    const identity = identityOf(value);
    if (identity !== undefined) {
      if (!this.#seen(identity, Tag.OBJECT_REF8)) this.#phpObject(value as PhpObject);
    } else if (value instanceof PhpFloat) {
      this.#double(value.value);
    } else if (value instanceof Uint8Array) {
      this.#bytes(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    } else if (!this.#array(value, value)) {
      throw noCounterpart(`an object of class ${value.constructor?.name ?? 'unknown'}`, this.#stack);
    }
  }

  #reference(reference: PhpReference): void {
    const inner = innermost(reference);
    if (inner === undefined) throw noCounterpart('a reference to itself', this.#stack);
    this.#byte(Tag.REFERENCE);
    const { value } = inner;
    // An object is known by its handle, everything else by the reference.
    if (typeof value === 'object' && value !== null && identityOf(value) !== undefined) {
      this.#object(value);
      return;
    }
    const identity = originOf(inner);
    if (typeof value === 'object' && value !== null && this.#array(value, identity)) return;
    if (!this.#seen(identity, Tag.REF8)) this.#value(value);
  }

  /** Writes an array, or that it was seen under `identity`; false when `value` is none. */
  #array(value: object, identity: object): boolean {
    let frame: ArrayFrame | undefined;
    if (Array.isArray(value)) frame = arrayFrame(value);
    else if (!(value instanceof OrderedMap) && isPlain(value)) frame = recordFrame(value);
    else if (!(value instanceof OrderedMap)) return false;
    const count = frame === undefined ? (value as OrderedMap).size : countOf(frame);
    const key = count === 0 && identity === value ? emptyArrayIdentity(value) : identity;
    // PHP never takes the outermost array for one that it has seen.
    if (this.#referenceCount === 0) this.#referenceCount = 1;
    else if (this.#seen(key, Tag.REF8)) {
      if (identity === value && this.#stack.some((open) => sourceOf(open) === value)) {
        throw noCounterpart('an array inside itself', this.#stack);
      }
      return true;
    }
    this.#sized(Tag.ARRAY8, count);
    this.#begin(frame ?? mapFrame(value as OrderedMap));
    return true;
  }

  #phpObject(value: PhpObject | PhpCustomObject | PhpEnum): void {
    const { className } = value;
    // Any name: PHP, too, takes one here that its classes cannot have.
    const name = typeof className === 'string' ? textBytes(className, this.#stack) : className;
    this.#interned(name, Tag.OBJECT8, Tag.OBJECT_ID8);
    if (value instanceof PhpObject) {
      this.#sized(Tag.ARRAY8, value.properties.size);
      this.#begin(mapFrame(value.properties));
    } else if (value instanceof PhpEnum) {
      this.#byte(Tag.ENUM_CASE);
      this.#string(value.caseName);
    } else {
      this.#sized(Tag.OBJECT_DATA8, value.data.length);
      this.#append(value.data);
    }
  }

  /** Writes the number under which `identity` was seen, or gives it one. */
  #seen(identity: ValueIdentity, tag: number): boolean {
    const known = this.#references.get(identity);
    if (known !== undefined) {
      this.#sized(tag, known);
      return true;
    }
    this.#references.set(identity, this.#referenceCount);
    this.#referenceCount += 1;
    return false;
  }

  #begin(frame: WriterFrame): void {
    this.#stack.push(frame);
    const { maxDepth } = this.#limits;
    if (this.#stack.length <= maxDepth) return;
    throw overLimit('The value is cyclic or nested too deeply', maxDepth, 'maxDepth');
  }

  #integer(value: number | bigint): void {
    const positive = value >= 0 ? 0 : 1;
    const magnitude = value < 0 ? -value : value;
    if (magnitude <= 0xffffffff) {
      const size = magnitude <= 0xff ? 0 : magnitude <= 0xffff ? 1 : 2;
      this.#number(Tag.LONG8_POSITIVE + 2 * size + positive, size, Number(magnitude));
      return;
    }
    this.#byte(Tag.LONG64_POSITIVE + positive);
    this.#room(8);
    this.#at = this.#buffer.writeBigUInt64BE(BigInt(magnitude), this.#at);
  }

  #double(value: number): void {
    this.#byte(Tag.DOUBLE);
    this.#room(8);
    this.#at = this.#buffer.writeDoubleBE(value, this.#at);
  }

  #string(value: string): void {
    if (value === '') {
      this.#byte(Tag.STRING_EMPTY);
      return;
    }
    const known = this.#strings.get(value);
    if (known !== undefined) {
      this.#sized(Tag.STRING_ID8, known);
      return;
    }
    const length = Buffer.byteLength(value, 'utf8');
    if (length !== value.length && !isWellFormed(value)) throw noCounterpart(HALF_A_PAIR, this.#stack);
    this.#strings.set(value, this.#stringCount);
    this.#stringCount += 1;
    this.#sized(Tag.STRING8, length);
    this.#room(length);
    this.#at += this.#buffer.write(value, this.#at, 'utf8');
  }

  #bytes(value: Buffer): void {
    if (value.length === 0) this.#byte(Tag.STRING_EMPTY);
    else this.#interned(value, Tag.STRING8, Tag.STRING_ID8);
  }

  /** Writes bytes the first time and their number later; text and class names share the numbers. */
  #interned(value: Buffer, tag: number, idTag: number): void {
    const text = isUtf8(value);
    const table = text ? this.#strings : this.#byteStrings;
    const name = value.toString(text ? 'utf8' : 'latin1');
    const known = table.get(name);
    if (known !== undefined) {
      this.#sized(idTag, known);
      return;
    }
    table.set(name, this.#stringCount);
    this.#stringCount += 1;
    this.#sized(tag, value.length);
    this.#append(value);
  }

  /** A tag that comes in three sizes, and its number. */
  #sized(tag: number, value: number): void {
    const size = value <= 0xff ? 0 : value <= 0xffff ? 1 : 2;
    this.#number(tag + size, size, value);
  }

  #number(tag: number, size: number, value: number): void {
    this.#room(5);
    const buffer = this.#buffer;
    buffer[this.#at] = tag;
    const at = this.#at + 1;
    if (size === 0) this.#at = buffer.writeUInt8(value, at);
    else if (size === 1) this.#at = buffer.writeUInt16BE(value, at);
    else this.#at = buffer.writeUInt32BE(value, at);
  }

  #byte(value: number): void {
    this.#room(1);
    this.#buffer[this.#at] = value;
    this.#at += 1;
  }

  #append(bytes: Buffer): void {
    this.#room(bytes.length);
    bytes.copy(this.#buffer, this.#at);
    this.#at += bytes.length;
  }

  #room(size: number): void {
    const needed = this.#at + size;
    if (needed <= this.#buffer.length) return;
    const { maxBytes } = this.#limits;
    if (needed > maxBytes) throw overLimit('The encoded value is too long', maxBytes, 'maxBytes');
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}

function sourceOf(frame: WriterFrame): object | undefined {
  if (frame.kind === 'list') return frame.items;
  return frame.kind === 'record' ? frame.record : undefined;
}

function emptyArrayIdentity(value: object): ValueIdentity {
  const origin = originOf(value);
  // PHP has one empty array for all places, but for those that came to be empty in another way.
  return origin === value ? 'empty array' : origin;
}
