/** Writes values in PHP's serialization format, with PHP's numbering of references. No recursion. */
import { ByteSink } from './byte-sink.js';
import { slotsOf } from './custom-object-contents.js';
import { cannotMove } from './custom-object-slots.js';
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
  HALF_A_PAIR,
  isPlain,
  mapFrame,
  noCounterpart,
  recordFrame,
  textBytes,
  type WriterFrame,
} from './writer-frame.js';

const CLOSING_BRACE = 125;
const NO_SUBSTITUTES: ReadonlyMap<object, object> = new Map();

/** Collects the bytes of values written one behind the other; slot numbers run through all of them. */
export class ValueWriter {
  /** How many slots were written. */
  slotCount = 0;
  readonly #slots = new Map<ValueIdentity, number>();
  readonly #maxDepth: number;
  readonly #maxValues: number;
  readonly #substitutes: ReadonlyMap<object, object>;
  readonly #sink: ByteSink;
  readonly #stack: WriterFrame[] = [];

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
    this.#maxDepth = limits.maxDepth - outerDepth;
    this.#maxValues = limits.maxValues;
    this.#sink = new ByteSink(limits.maxBytes);
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
        this.#sink.byte(CLOSING_BRACE);
        stack.pop();
      }
    }
  }

  /** Appends bytes that are already in the format, or belong between values. */
  writeBytes(bytes: Buffer): void {
    this.#sink.bytes(bytes);
  }

  /** Appends ASCII text that belongs between values. */
  writeText(text: string): void {
    this.#sink.ascii(text);
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

  /** Everything written. The writer must not be used any more. */
  toBuffer(): Buffer {
    return this.#sink.take();
  }

  /** Writes elements until one is a container; false when there are no more. */
  #nextElement(frame: WriterFrame): boolean {
    const depth = this.#stack.length;
    if (frame.kind === 'list') {
      const { items } = frame;
      while (frame.at < items.length) {
        const index = frame.at;
        const value = items[index];
        frame.at += 1;
        // Lists of counts and ids are common enough for a lane of their own.
        if (typeof value === 'number' && value > 0 && Number.isSafeInteger(value)) {
          this.#slot();
          this.#sink.element(index, value);
          continue;
        }
        this.#sink.integer(index);
        this.#value(value);
        if (this.#stack.length > depth) return true;
      }
      return false;
    }
    if (frame.kind === 'record') {
      const { values, keys } = frame;
      while (frame.at < keys.length) {
        const key = keys[frame.at] as string;
        const value = values[frame.at];
        frame.at += 1;
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
        if (Number.isSafeInteger(value) && (value !== 0 || !Object.is(value, -0))) this.#sink.integer(value);
        else this.#sink.float(floatText(value));
        return;
      case 'boolean':
        this.#slot();
        this.#sink.ascii(value ? 'b:1;' : 'b:0;');
        return;
      case 'undefined':
        this.#slot();
        this.#sink.ascii('N;');
        return;
      case 'bigint':
        if (!fitsInt64(value))
          throw noCounterpart(`the integer ${value}, which exceeds 64 bits`, this.#stack);
        this.#slot();
        this.#sink.ascii(`i:${value};`);
        return;
      case 'object':
        if (value === null) {
          this.#slot();
          this.#sink.ascii('N;');
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
    // By far the most objects are plain: the rest of the questions is not asked for them.
    if (Object.getPrototypeOf(given) === Object.prototype) {
      this.#slot();
      this.#array(recordFrame(given as Readonly<Record<string, unknown>>));
      return;
    }
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
        this.#sink.ascii(`r:${seen};`);
        return;
      }
      this.#slots.set(identity, this.slotCount);
      this.#phpObject(value as PhpObject | PhpCustomObject | PhpEnum);
      return;
    }
    this.#slot();
    if (value instanceof PhpFloat) this.#sink.float(floatText(value.value));
    else if (value instanceof Uint8Array) this.#bytes(value);
    else if (value instanceof OrderedMap) {
      this.#sink.ascii('a:');
      this.#begin(mapFrame(value), value.size);
    } else if (isPlain(value)) this.#array(recordFrame(value));
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
      this.#sink.ascii(`R:${seen};`);
      return;
    }
    if (identity === own) this.#slots.set(identity, this.slotCount + 1);
    this.#value(inner.value);
  }

  #phpObject(value: PhpObject | PhpCustomObject | PhpEnum): void {
    if (value instanceof PhpObject) {
      this.#className('O', value.className);
      this.#begin(mapFrame(value.properties), value.properties.size);
    } else if (value instanceof PhpCustomObject) {
      this.#customObject(value);
    } else {
      const className = classNameBytes(value.className, this.#stack);
      const name = Buffer.concat([className, textBytes(`:${value.caseName}`, this.#stack)]);
      this.#sink.ascii(`E:${name.length}:"`);
      this.writeBytes(name);
      this.#sink.ascii('";');
    }
  }

  #customObject(object: PhpCustomObject): void {
    const { count, onlyAt } = slotsOf(object);
    if (onlyAt !== undefined && onlyAt !== this.slotCount) throw cannotMove();
    this.#className('C', object.className);
    this.#sink.count(object.data.length);
    this.#sink.bytes(object.data);
    this.#sink.byte(CLOSING_BRACE);
    this.slotCount += count;
  }

  #className(tag: 'O' | 'C', className: PhpClassName): void {
    const name = classNameBytes(className, this.#stack);
    this.#sink.ascii(`${tag}:${name.length}:"`);
    if (typeof className === 'string') this.#sink.utf8(className, name.length);
    else this.writeBytes(name);
    this.#sink.ascii('":');
  }

  #array(frame: ArrayFrame): void {
    this.#sink.ascii('a:');
    this.#begin(frame, countOf(frame));
  }

  #begin(frame: WriterFrame, count: number): void {
    this.#sink.count(count);
    this.#stack.push(frame);
    if (this.#stack.length <= this.#maxDepth) return;
    throw overLimit(
      'The value is cyclic or nested more deeply than PHP could read it back',
      this.#maxDepth,
      'maxDepth',
    );
  }

  #arrayKey(key: string): void {
    if (key.charCodeAt(0) <= 57 && integerOfKey(key) !== undefined) this.#sink.ascii(`i:${key};`);
    else this.#string(key);
  }

  #storedKey(key: PhpKey): void {
    if (typeof key === 'string') this.#string(key);
    else if (typeof key === 'object') this.#bytes(key);
    else this.#sink.ascii(`i:${key};`);
  }

  #string(text: string): void {
    if (!this.#sink.string(text)) throw noCounterpart(HALF_A_PAIR, this.#stack);
  }

  #bytes(value: Uint8Array): void {
    this.#sink.ascii(`s:${value.length}:"`);
    this.#sink.bytes(value);
    this.#sink.ascii('";');
  }

  #slot(): void {
    this.slotCount += 1;
    if (this.slotCount > this.#maxValues) {
      throw overLimit('There are too many values', this.#maxValues, 'maxValues');
    }
  }
}
