/** Reads values in the format of PHP's igbinary extension. One pass, no recursion. */
import { ContainerFrame } from './container-frame.js';
import { IgbinaryTag as Tag } from './igbinary-format.js';
import { fitsInt64 } from './integer-key.js';
import type { PhpKey } from './ordered-map.js';
import { setOrigin } from './origin.js';
import { PhpFloat } from './php-float.js';
import { overLimit, type ResolvedPhpLimits } from './php-limits.js';
import { type PhpClassName, PhpCustomObject, PhpEnum, PhpObject } from './php-object.js';
import { PhpReference } from './php-reference.js';
import { TokenReader } from './token-reader.js';
import { identityOf } from './value-identity.js';

/** Something that a later `REF` can name by its number, counted from 0. */
interface Entry {
  /** The array, object or shared value; undefined while an array is still being read. */
  value: unknown;
  /** The PHP reference that it became. */
  box: PhpReference | undefined;
  /** How many values are in it; a container that is being read holds the count at its beginning. */
  size: number;
  /** The places inside an array at which it stands itself. */
  inside?: PhpReference[];
}

/**
 * Reads one igbinary document. Arrays that PHP shares between places (it copies them on write) come out as one
 * JavaScript array at several places.
 */
export class IgbinaryReader extends TokenReader {
  readonly #limits: ResolvedPhpLimits;
  readonly #strings: (string | Buffer)[] = [];
  readonly #entries: Entry[] = [];
  readonly #open: Entry[] = [];
  #valueCount = 0;

  /**
   * Makes a reader of `bytes`.
   *
   * @throws StormlampError `ERR_PHP_LIMIT` when there are more bytes than allowed.
   */
  constructor(bytes: Buffer, limits: ResolvedPhpLimits) {
    if (bytes.length > limits.maxBytes) {
      throw overLimit(`The data is ${bytes.length} bytes long`, limits.maxBytes, 'maxBytes');
    }
    super(bytes, false);
    this.#limits = limits;
  }

  /**
   * Reads the header and the value.
   *
   * @throws StormlampError `ERR_PHP_SYNTAX` or `ERR_PHP_LIMIT`.
   */
  read(): unknown {
    if (this.bytes.length < 5) throw this.syntax('at least 5 bytes of igbinary data');
    const version = this.bytes.readUInt32BE(0);
    if (version !== 1 && version !== 2) throw this.syntax('an igbinary header of version 1 or 2');
    this.position = 4;
    const root = new ContainerFrame(1, undefined);
    let frame = root;
    for (;;) {
      while (frame.remaining === 0) {
        if (frame === root) return root.at(0);
        frame = this.#close(frame);
      }
      frame.remaining -= 1;
      if (frame !== root) {
        const key = this.#key();
        // PHP writes an element without a key or value for a property that it could not serialize.
        if (key === undefined) continue;
        frame.enter(key);
      }
      frame = this.#value(frame) ?? frame;
    }
  }

  #close(frame: ContainerFrame): ContainerFrame {
    const entry = this.#open.pop() as Entry;
    const parent = frame.parent as ContainerFrame;
    entry.value = frame.value;
    // Which of the empty arrays are one to PHP is only told by their origin: a caller may fill them one by one.
    if (isEmptyArray(entry.value)) setOrigin(entry.value, {});
    entry.size = this.#valueCount - entry.size;
    if (entry.box !== undefined) entry.box.value = frame.value;
    if (entry.inside !== undefined) {
      this.#count(entry.size * entry.inside.length);
      for (const place of entry.inside) place.value = frame.value;
    }
    parent.place(frame.box ?? frame.value);
    return parent;
  }

  /** Reads a scalar and places it, or begins a container and gives it back. */
  #value(frame: ContainerFrame): ContainerFrame | undefined {
    this.#count(1);
    let tag = this.#byte();
    let box: PhpReference | undefined;
    if (tag === Tag.REFERENCE) {
      while (tag === Tag.REFERENCE) tag = this.#byte();
      box = new PhpReference();
    }
    if (tag >= Tag.ARRAY8 && tag <= Tag.ARRAY32) {
      return this.#beginArray(frame, this.#sized(tag - Tag.ARRAY8), box);
    }
    if (tag >= Tag.OBJECT8 && tag <= Tag.OBJECT_ID32) return this.#beginObject(frame, tag, box);
    if (tag >= Tag.REF8 && tag <= Tag.REF32) {
      this.#placeEntry(frame, this.#sized(tag - Tag.REF8), box !== undefined);
      return undefined;
    }
    if (tag >= Tag.OBJECT_REF8 && tag <= Tag.OBJECT_REF32) {
      this.#placeEntry(frame, this.#sized(tag - Tag.OBJECT_REF8), box !== undefined);
      return undefined;
    }
    const value = this.#scalar(tag);
    if (box === undefined) {
      frame.place(value);
    } else {
      box.value = value;
      this.#entries.push({ value, box, size: 0 });
      frame.place(box);
    }
    return undefined;
  }

  #scalar(tag: number): unknown {
    switch (tag) {
      case Tag.NULL:
        return null;
      case Tag.FALSE:
        return false;
      case Tag.TRUE:
        return true;
      case Tag.DOUBLE: {
        const value = this.bytes.readDoubleBE(this.#skip(8));
        return Number.isInteger(value) ? new PhpFloat(value) : value;
      }
      default:
        return this.#integer(tag) ?? this.#stringOf(tag);
    }
  }

  #key(): PhpKey | undefined {
    const tag = this.#byte();
    if (tag === Tag.NULL) return undefined;
    const integer = this.#integer(tag);
    if (integer !== undefined) return integer;
    return this.#stringOf(tag);
  }

  #integer(tag: number): number | bigint | undefined {
    if (tag >= Tag.LONG8_POSITIVE && tag <= Tag.LONG32_NEGATIVE) {
      const magnitude = this.#sized((tag - Tag.LONG8_POSITIVE) >> 1);
      // Odd tags are the negative ones.
      return (tag & 1) === 1 && magnitude !== 0 ? -magnitude : magnitude;
    }
    if (tag !== Tag.LONG64_POSITIVE && tag !== Tag.LONG64_NEGATIVE) return undefined;
    const magnitude = this.bytes.readBigUInt64BE(this.#skip(8));
    const value = tag === Tag.LONG64_NEGATIVE ? -magnitude : magnitude;
    // PHP reads 0 where the number does not fit.
    if (!fitsInt64(value)) return 0;
    const small = Number(value);
    return Number.isSafeInteger(small) ? small : value;
  }

  #stringOf(tag: number): string | Buffer {
    if (tag === Tag.STRING_EMPTY) return '';
    if (tag >= Tag.STRING8 && tag <= Tag.STRING32) return this.#newString(tag - Tag.STRING8);
    if (tag >= Tag.STRING_ID8 && tag <= Tag.STRING_ID32) return this.#knownString(tag - Tag.STRING_ID8);
    this.position -= 1;
    throw this.syntax('an igbinary value');
  }

  #newString(size: number): string | Buffer {
    const length = this.#sized(size);
    const start = this.#skip(length);
    const value = this.string(start, start + length);
    this.#strings.push(value);
    return value;
  }

  #knownString(size: number): string | Buffer {
    const value = this.#strings[this.#sized(size)];
    if (value === undefined) throw this.syntax('the number of an earlier string');
    return value;
  }

  #beginArray(frame: ContainerFrame, count: number, box: PhpReference | undefined): ContainerFrame {
    return this.#begin(new ContainerFrame(count, frame), { value: undefined, box, size: this.#valueCount });
  }

  #beginObject(
    frame: ContainerFrame,
    tag: number,
    box: PhpReference | undefined,
  ): ContainerFrame | undefined {
    const className = this.#className(tag);
    const entry: Entry = { value: undefined, box, size: this.#valueCount };
    const inner = this.#byte();
    if (inner >= Tag.ARRAY8 && inner <= Tag.ARRAY32) {
      const object = new PhpObject(className);
      entry.value = object;
      if (box !== undefined) box.value = object;
      const count = this.#sized(inner - Tag.ARRAY8);
      return this.#begin(new ContainerFrame(count, frame, object), entry);
    }
    if (inner === Tag.ENUM_CASE) entry.value = this.#enum(className);
    else entry.value = this.#customObject(className, inner);
    this.#entries.push(entry);
    if (box !== undefined) box.value = entry.value;
    frame.place(box ?? entry.value);
    return undefined;
  }

  #begin(child: ContainerFrame, entry: Entry): ContainerFrame {
    const count = child.remaining;
    // Every element takes a byte at least.
    if (count > this.bytes.length - this.position) {
      throw this.syntax(`${count} elements, for which the data is too short,`);
    }
    if (this.#valueCount + count > this.#limits.maxValues) throw this.#tooMany();
    if (this.#open.length >= this.#limits.maxDepth) {
      throw overLimit(
        `Arrays and objects are nested too deeply at byte ${this.position}`,
        this.#limits.maxDepth,
        'maxDepth',
      );
    }
    child.box = entry.box;
    this.#entries.push(entry);
    this.#open.push(entry);
    return child;
  }

  #className(tag: number): PhpClassName {
    return tag <= Tag.OBJECT32 ? this.#newString(tag - Tag.OBJECT8) : this.#knownString(tag - Tag.OBJECT_ID8);
  }

  #enum(className: PhpClassName): PhpEnum {
    const caseName = this.#stringOf(this.#byte());
    if (typeof caseName !== 'string') throw this.syntax('a case name in UTF-8');
    return new PhpEnum(className, caseName);
  }

  #customObject(className: PhpClassName, tag: number): PhpCustomObject {
    if (tag < Tag.OBJECT_DATA8 || tag > Tag.OBJECT_DATA32) throw this.syntax('the contents of an object');
    const length = this.#sized(tag - Tag.OBJECT_DATA8);
    const start = this.#skip(length);
    return new PhpCustomObject(className, Buffer.from(this.bytes.subarray(start, start + length)));
  }

  #placeEntry(frame: ContainerFrame, index: number, byReference: boolean): void {
    const entry = this.#entries[index];
    if (entry === undefined) throw this.syntax('the number of an earlier array or object');
    if (byReference) {
      // An array that is still being read gets into it when it is complete.
      entry.box ??= new PhpReference(entry.value);
      frame.place(entry.box);
      return;
    }
    const value = entry.box === undefined ? entry.value : entry.box.value;
    if (value === undefined) {
      // What is in itself is so by a reference somewhere on the way, of which igbinary does not always tell. One of this place alone
      // binds it to nothing else.
      const inside = new PhpReference();
      entry.inside ??= [];
      entry.inside.push(inside);
      frame.place(inside);
      return;
    }
    // To whoever walks the result, each place of a shared array counts in full: it could double at every level.
    if (identityOf(value) === undefined && typeof value === 'object') this.#count(entry.size);
    frame.place(isEmptyArray(value) ? sameEmptyArray(value) : value);
  }

  #byte(): number {
    const { bytes, position } = this;
    if (position >= bytes.length) throw this.syntax('more data');
    this.position = position + 1;
    return bytes[position] as number;
  }

  /** A number of 1, 2 or 4 bytes; `size` is 0, 1 or 2. */
  #sized(size: number): number {
    const { bytes } = this;
    if (size === 0) return this.#byte();
    if (size === 1) return bytes.readUInt16BE(this.#skip(2));
    return bytes.readUInt32BE(this.#skip(4));
  }

  /** Steps over bytes that must be there and gives back where they begin. */
  #skip(count: number): number {
    const { position } = this;
    if (count > this.bytes.length - position) throw this.syntax(`${count} more bytes`);
    this.position = position + count;
    return position;
  }

  #count(values: number): void {
    this.#valueCount += values;
    if (this.#valueCount > this.#limits.maxValues) throw this.#tooMany();
  }

  #tooMany(): Error {
    const { maxValues } = this.#limits;
    return overLimit(`The data holds too many values at byte ${this.position}`, maxValues, 'maxValues');
  }
}

function isEmptyArray(value: unknown): value is unknown[] {
  return Array.isArray(value) && value.length === 0;
}

function sameEmptyArray(value: unknown[]): unknown[] {
  const copy: unknown[] = [];
  setOrigin(copy, value);
  return copy;
}
