/** Writes values in PHP's serialization format, with PHP's numbering of references. No recursion. */
import { floatText } from './float-text.js';
import { fitsInt64, integerOfKey } from './integer-key.js';
import { OrderedMap, type PhpKey } from './ordered-map.js';
import { originOf } from './origin.js';
import { PhpFloat } from './php-float.js';
import { overLimit, type ResolvedPhpLimits } from './php-limits.js';
import { type PhpClassName, PhpCustomObject, type PhpEnum, PhpObject } from './php-object.js';
import { PhpReference } from './php-reference.js';
import { identityOf, innermost, type ValueIdentity } from './value-identity.js';
import {
  type ArrayFrame,
  arrayFrame,
  classNameBytes,
  countOf,
  isPlain,
  mapFrame,
  noCounterpart,
  recordFrame,
  type WriterFrame,
} from './writer-frame.js';

const NO_SUBSTITUTES: ReadonlyMap<object, object> = new Map();

/** Collects the bytes of values written one behind the other; slot numbers run through all of them. */
export class ValueWriter {
  /** How many slots were written. */
  slotCount = 0;
  readonly #slots = new Map<ValueIdentity, number>();
  readonly #limits: ResolvedPhpLimits;
  readonly #substitutes: ReadonlyMap<object, object>;
  readonly #outerDepth: number;
  readonly #chunks: Buffer[] = [];
  readonly #stack: WriterFrame[] = [];
  #flushed = 0;
  #text = '';

  /**
   * Makes an empty writer of values that stand `outerDepth` levels deep in a container written by the caller.
   * `substitutes` names what is written in the place of decoded objects and references.
   */
  constructor(
    limits: ResolvedPhpLimits,
    outerDepth = 0,
    substitutes: ReadonlyMap<object, object> = NO_SUBSTITUTES,
  ) {
    this.#substitutes = substitutes;
    this.#limits = limits;
    this.#outerDepth = outerDepth;
  }

  /**
   * Appends a value.
   *
   * @throws StormlampError `ERR_PHP_VALUE` when PHP has no such value, `ERR_PHP_LIMIT` when it is too deep or long.
   */
  write(value: unknown): void {
    const stack = this.#stack;
    stack.length = 0;
    this.#value(value);
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      if (!this.#nextElement(frame)) {
        this.#text += '}';
        stack.pop();
      }
    }
  }

  /** Appends bytes that are already in the format, or belong between values. */
  writeBytes(bytes: Buffer): void {
    this.#flush();
    this.#chunks.push(bytes);
    this.#flushed += bytes.length;
    this.#checkSize();
  }

  /** Appends text that belongs between values. */
  writeText(text: string): void {
    this.#text += text;
  }

  /** The slot at which an object or reference was written, undefined when it was not. */
  slotOf(identity: ValueIdentity): number | undefined {
    return this.#slots.get(identity);
  }

  /** Counts slots that stand in bytes that were appended as they are. */
  countSlots(count: number): void {
    this.slotCount += count;
  }

  /** Says that `identity` stands at `slot`, in bytes that were appended as they are. */
  register(identity: ValueIdentity, slot: number): void {
    if (!this.#slots.has(identity)) this.#slots.set(identity, slot);
  }

  /** Everything written so far. */
  toBuffer(): Buffer {
    this.#flush();
    return this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
  }

  /** Writes elements until one is a container; false when there are no more. */
  #nextElement(frame: WriterFrame): boolean {
    const depth = this.#stack.length;
    if (frame.kind === 'list') {
      const { items } = frame;
      while (frame.at < items.length) {
        const index = frame.at;
        frame.at += 1;
        this.#text += `i:${index};`;
        this.#value(items[index]);
        if (this.#stack.length > depth) return true;
      }
      return false;
    }
    if (frame.kind === 'record') {
      const { record, keys } = frame;
      while (frame.at < keys.length) {
        const key = keys[frame.at] as string;
        frame.at += 1;
        const value = record[key];
        if (value === undefined) continue;
        this.#arrayKey(key);
        this.#value(value);
        if (this.#stack.length > depth) return true;
      }
      return false;
    }
    for (let next = frame.entries.next(); next.done !== true; next = frame.entries.next()) {
      const [key, value] = next.value;
      frame.key = key;
      this.#storedKey(key);
      this.#value(value);
      if (this.#stack.length > depth) return true;
    }
    return false;
  }

  #value(value: unknown): void {
    switch (typeof value) {
      case 'string':
        this.#slot();
        this.#string(value);
        return;
      case 'number':
        this.#slot();
        this.#text +=
          Number.isSafeInteger(value) && !Object.is(value, -0) ? `i:${value};` : `d:${floatText(value)};`;
        return;
      case 'boolean':
        this.#slot();
        this.#text += value ? 'b:1;' : 'b:0;';
        return;
      case 'undefined':
        this.#slot();
        this.#text += 'N;';
        return;
      case 'bigint':
        if (!fitsInt64(value))
          throw noCounterpart(`the integer ${value}, which exceeds 64 bits`, this.#stack);
        this.#slot();
        this.#text += `i:${value};`;
        return;
      case 'object':
        if (value === null) {
          this.#slot();
          this.#text += 'N;';
        } else if (Array.isArray(value)) {
          this.#slot();
          this.#array(arrayFrame(value));
        } else {
          this.#object(value);
        }
        return;
      default:
        throw noCounterpart(`a ${typeof value}`, this.#stack);
    }
  }

  #object(given: object): void {
    const value = this.#substitutes.size === 0 ? given : (this.#substitutes.get(originOf(given)) ?? given);
    if (value instanceof PhpReference) {
      this.#reference(value);
      return;
    }
    const identity = identityOf(value);
    if (identity !== undefined) {
      const seen = this.#slots.get(identity);
      this.#slot();
      if (seen !== undefined) {
        this.#text += `r:${seen};`;
        return;
      }
      this.#slots.set(identity, this.slotCount);
      this.#phpObject(value as PhpObject | PhpCustomObject | PhpEnum);
      return;
    }
    this.#slot();
    if (value instanceof PhpFloat) this.#text += `d:${floatText(value.value)};`;
    else if (value instanceof Uint8Array) this.#bytes(value);
    else if (value instanceof OrderedMap) this.#begin(`a:${value.size}`, mapFrame(value));
    else if (isPlain(value)) this.#array(recordFrame(value));
    else throw noCounterpart(`an object of class ${value.constructor?.name ?? 'unknown'}`, this.#stack);
  }

  #reference(reference: PhpReference): void {
    const inner = innermost(reference);
    if (inner === undefined) throw noCounterpart('a reference to itself', this.#stack);
    // PHP counts a reference to an object as the object.
    const own = originOf(inner);
    const identity = identityOf(inner.value) ?? own;
    const seen = this.#slots.get(identity);
    if (seen !== undefined) {
      this.#text += `R:${seen};`;
      return;
    }
    if (identity === own) this.#slots.set(identity, this.slotCount + 1);
    this.#value(inner.value);
  }

  #phpObject(value: PhpObject | PhpCustomObject | PhpEnum): void {
    if (value instanceof PhpObject) {
      this.#className('O', value.className);
      this.#begin(`${value.properties.size}`, mapFrame(value.properties));
    } else if (value instanceof PhpCustomObject) {
      this.#className('C', value.className);
      this.#text += `${value.data.length}:{`;
      this.writeBytes(value.data);
      this.#text += '}';
    } else {
      const className = classNameBytes(value.className, this.#stack);
      const name = Buffer.concat([className, Buffer.from(`:${value.caseName}`)]);
      this.#text += `E:${name.length}:"`;
      this.writeBytes(name);
      this.#text += '";';
    }
  }

  #className(tag: 'O' | 'C', className: PhpClassName): void {
    const name = classNameBytes(className, this.#stack);
    this.#text += `${tag}:${name.length}:"`;
    if (typeof className === 'string') this.#text += className;
    else this.writeBytes(name);
    this.#text += '":';
  }

  #array(frame: ArrayFrame): void {
    this.#begin(`a:${countOf(frame)}`, frame);
  }

  #begin(header: string, frame: WriterFrame): void {
    this.#text += `${header}:{`;
    this.#stack.push(frame);
    this.#checkSize();
    const { maxDepth } = this.#limits;
    if (this.#stack.length + this.#outerDepth <= maxDepth) return;
    throw overLimit(
      'The value is cyclic or nested more deeply than PHP could read it back',
      maxDepth,
      'maxDepth',
    );
  }

  #arrayKey(key: string): void {
    if (key.charCodeAt(0) <= 57 && integerOfKey(key) !== undefined) this.#text += `i:${key};`;
    else this.#string(key);
  }

  #storedKey(key: PhpKey): void {
    if (typeof key === 'string') this.#string(key);
    else if (typeof key === 'object') this.#bytes(key);
    else this.#text += `i:${key};`;
  }

  #string(value: string): void {
    this.#text += `s:${byteLength(value)}:"${value}";`;
    if (value.length > 1024) this.#checkSize();
  }

  #bytes(value: Uint8Array): void {
    this.#text += `s:${value.length}:"`;
    this.writeBytes(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    this.#text += '";';
  }

  #slot(): void {
    this.slotCount += 1;
    const { maxValues } = this.#limits;
    if (this.slotCount > maxValues) throw overLimit('There are too many values', maxValues, 'maxValues');
  }

  #checkSize(): void {
    const { maxBytes } = this.#limits;
    if (this.#flushed + this.#text.length > maxBytes) {
      throw overLimit('The encoded value is too long', maxBytes, 'maxBytes');
    }
  }

  #flush(): void {
    if (this.#text === '') return;
    const chunk = Buffer.from(this.#text, 'utf8');
    this.#chunks.push(chunk);
    this.#flushed += chunk.length;
    this.#text = '';
  }
}

function byteLength(text: string): number {
  const { length } = text;
  if (length > 24) return Buffer.byteLength(text, 'utf8');
  for (let index = 0; index < length; index += 1) {
    if (text.charCodeAt(index) > 127) return Buffer.byteLength(text, 'utf8');
  }
  return length;
}
