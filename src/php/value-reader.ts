/** Reads values in PHP's serialization format: one pass, no recursion, PHP's own rules of what is refused. */
import { StormlampError } from '../common/stormlamp-error.js';
import { ContainerFrame } from './container-frame.js';
import { rememberSlots } from './custom-object-slots.js';
import type { PhpKey } from './ordered-map.js';
import { overLimit, type ResolvedPhpLimits } from './php-limits.js';
import { type PhpClassName, PhpCustomObject, PhpEnum, PhpObject } from './php-object.js';
import { PhpReference } from './php-reference.js';
import { readScalarRun } from './scalar-run.js';
import { NO_SLOTS, type SlotTracking } from './slot-tracking.js';
import { TokenReader } from './token-reader.js';

// What zend_is_valid_class_name accepts.
const CLASS_NAME = /^[A-Za-z0-9_\x7f-\xff\\]+$/;
// Deeper ones are taken as opaque; every level is read once more.
const MAX_NESTED_CONTENTS = 8;
const COLON = 58;
const SEMICOLON = 59;

/** A place that `R:` and `r:` can name by its number, counted from 1 in the order of the bytes. */
export interface Slot {
  /** The container of the value. */
  readonly frame: ContainerFrame;
  /** Its key there. */
  readonly key: PhpKey;
}

/** An `R:` or `r:` in the bytes. */
export interface ReferenceToken {
  /** Offset of the first digit of the slot number. */
  readonly start: number;
  /** Offset behind the last digit. */
  readonly end: number;
  /** The slot number. */
  readonly target: number;
  /** The slot that an `r:` itself takes; undefined for `R:`, which takes none. */
  readonly slot: number | undefined;
  /** Whether it stands inside the opaque contents of an object, where its number cannot be changed. */
  readonly fixed: boolean;
}

/**
 * Reads values one behind the other from the same bytes; slot numbers run through all of them.
 *
 * Slots are only remembered when asked for, because most data has no references: a reader without them throws when it
 * meets one, and {@link withSlotsIfNeeded} reads again.
 */
export class ValueReader extends TokenReader {
  /** How many slots were counted so far. */
  slotCount: number;
  /** The slots in their order, empty when they are not tracked. */
  readonly slots: Slot[];
  /** The references met, empty when slots are not tracked. */
  readonly references: ReferenceToken[] = [];
  readonly #tracking: SlotTracking;
  readonly #remembers: boolean;
  readonly #nesting: number;
  readonly #limits: ResolvedPhpLimits;

  /**
   * Makes a reader of `bytes`; one that reads what stands inside of another's bytes goes on with its slots.
   *
   * @throws StormlampError `ERR_PHP_LIMIT` when there are more bytes than allowed.
   */
  constructor(bytes: Buffer, limits: ResolvedPhpLimits, tracking: SlotTracking, outer?: ValueReader) {
    if (bytes.length > limits.maxBytes) {
      throw overLimit(`The data is ${bytes.length} bytes long`, limits.maxBytes, 'maxBytes');
    }
    super(bytes, true);
    this.#limits = limits;
    this.#tracking = tracking;
    this.#remembers = tracking === 'all' || tracking === 'opaque';
    this.slots = outer?.slots ?? [];
    this.slotCount = outer?.slotCount ?? 0;
    this.#nesting = outer === undefined ? 0 : outer.#nesting + 1;
  }

  /**
   * Reads one value and places it at the present key of `root`, which is `outerDepth` levels deep itself.
   *
   * @throws StormlampError `ERR_PHP_SYNTAX` or `ERR_PHP_LIMIT`.
   */
  readInto(root: ContainerFrame, outerDepth = 0): void {
    let frame = root;
    let depth = outerDepth;
    const fast = !this.#remembers;
    frame.remaining = 1;
    for (;;) {
      if (fast && frame !== root) this.#skipScalars(frame);
      while (frame.remaining === 0) {
        if (frame === root) return;
        this.expect(125, 'the closing brace of the array or object');
        const parent = frame.parent as ContainerFrame;
        parent.child = undefined;
        parent.place(closed(frame));
        frame = parent;
        depth -= 1;
      }
      frame.remaining -= 1;
      if (frame !== root) frame.enter(this.readKey());
      const child = this.#readValue(frame);
      if (child === undefined) continue;
      if (depth >= this.#limits.maxDepth) {
        throw overLimit(
          `Arrays and objects are nested too deeply at byte ${this.position}`,
          this.#limits.maxDepth,
          'maxDepth',
        );
      }
      depth += 1;
      frame.child = child;
      frame = child;
    }
  }

  /** Reads the key of an element or property. */
  readKey(): PhpKey {
    const { text, position } = this;
    const tag = text.charCodeAt(position);
    if (text.charCodeAt(position + 1) !== COLON || (tag !== 105 && tag !== 115 && tag !== 83)) {
      throw this.syntax('an integer or string key');
    }
    this.position = position + 2;
    if (tag === 105) return this.integer();
    if (tag === 83) return this.escapedString();
    const end = this.quoted(SEMICOLON);
    const key = this.string(this.position, end);
    this.position = end + 2;
    return key;
  }

  /**
   * Reads `a:<count>:{` of a container that the caller reads element by element, and takes its slot.
   *
   * @throws StormlampError `ERR_PHP_SYNTAX` when there is something else.
   */
  beginArray(parent: ContainerFrame): ContainerFrame {
    this.#countSlot(parent);
    this.expect(97, 'an array');
    this.expect(COLON, 'a colon');
    const count = this.#arrayHeader();
    const frame = new ContainerFrame(count, parent);
    parent.child = frame;
    return frame;
  }

  /** Reads a scalar and places it, or begins a container and gives it back. */
  #readValue(frame: ContainerFrame): ContainerFrame | undefined {
    const { text, position } = this;
    const tag = text.charCodeAt(position);
    if (tag === 82) {
      this.#readReference(frame);
      return undefined;
    }
    this.#countSlot(frame);
    if (tag === 78 && text.charCodeAt(position + 1) === SEMICOLON) {
      this.position = position + 2;
      frame.place(null);
      return undefined;
    }
    if (text.charCodeAt(position + 1) !== COLON) throw this.syntax('a value');
    this.position = position + 2;
    switch (tag) {
      case 115: {
        const end = this.quoted(SEMICOLON);
        frame.place(this.string(this.position, end));
        this.position = end + 2;
        return undefined;
      }
      case 105:
        frame.place(this.integer());
        return undefined;
      case 97:
        return this.#readArray(frame);
      case 98:
        frame.place(this.boolean());
        return undefined;
      case 100:
        frame.place(this.float());
        return undefined;
      case 79:
        this.#needSlotsOfObjects();
        return this.#readObject(frame);
      case 114:
        this.#readHandle(frame);
        return undefined;
      case 69:
        this.#needSlotsOfObjects();
        frame.place(this.#enum());
        return undefined;
      case 67:
        this.#needSlotsOfObjects();
        frame.place(this.#customObject());
        return undefined;
      case 83:
        frame.place(this.escapedString());
        return undefined;
      default:
        this.position = position;
        throw this.syntax('a value');
    }
  }

  #skipScalars(frame: ContainerFrame): void {
    const before = frame.remaining;
    readScalarRun(this, frame);
    this.slotCount += before - frame.remaining;
    if (this.slotCount > this.#limits.maxValues) throw this.#tooMany();
  }

  #countSlot(frame: ContainerFrame): void {
    this.slotCount += 1;
    if (this.slotCount > this.#limits.maxValues) throw this.#tooMany();
    if (this.#remembers) this.slots.push({ frame, key: frame.key });
  }

  #needSlotsOfObjects(): void {
    if (this.#tracking === 'no-objects') throw NO_SLOTS;
  }

  #arrayHeader(): number {
    const count = this.digits();
    this.expect(COLON, 'a colon');
    this.expect(123, 'an opening brace');
    this.#checkCount(count, this.position);
    return count;
  }

  #readArray(frame: ContainerFrame): ContainerFrame | undefined {
    const count = this.#arrayHeader();
    if (count > 0) return new ContainerFrame(count, frame);
    this.expect(125, 'the closing brace of the empty array');
    frame.place([]);
    return undefined;
  }

  #readObject(frame: ContainerFrame): ContainerFrame {
    const className = this.#className();
    const quote = this.position - 2;
    const count = this.signedDigits();
    this.expect(COLON, 'a colon');
    this.expect(123, 'an opening brace');
    this.#checkCount(count, quote);
    return new ContainerFrame(count, frame, new PhpObject(className));
  }

  #customObject(): PhpCustomObject {
    const className = this.#className();
    const size = this.signedDigits();
    this.expect(COLON, 'a colon');
    this.expect(123, 'an opening brace');
    const end = this.position + size;
    if (!(end < this.bytes.length)) throw this.syntax(`${size} more bytes`);
    const data = Buffer.from(this.bytes.subarray(this.position, end));
    const object = new PhpCustomObject(className, data);
    if (this.#remembers) this.#readContents(object);
    this.position = end;
    this.expect(125, 'a closing brace');
    return object;
  }

  /** Counts the slots of contents that are serialized values themselves; any other contents take none. */
  #readContents(object: PhpCustomObject): void {
    const own = this.slotCount;
    rememberSlots(object, { count: 0, onlyAt: undefined });
    if (this.#tracking === 'opaque') return;
    const last = object.data.at(-1);
    // Whatever a serialized value is, it ends with one of these.
    if ((last !== SEMICOLON && last !== 125) || this.#nesting >= MAX_NESTED_CONTENTS) return;
    const inner = new ValueReader(object.data, this.#limits, 'all', this);
    try {
      while (inner.position < object.data.length) inner.readInto(new ContainerFrame(1, undefined));
    } catch (error) {
      if (!(error instanceof StormlampError)) throw error;
      this.slots.length = own;
      return;
    }
    this.slotCount = inner.slotCount;
    const onlyAt = inner.references.length > 0 ? own : undefined;
    rememberSlots(object, { count: inner.slotCount - own, onlyAt });
    for (const { target, slot } of inner.references) {
      this.references.push({ start: this.position, end: this.position, target, slot, fixed: true });
    }
  }

  #enum(): PhpEnum {
    const end = this.quoted(SEMICOLON);
    const name = this.text.slice(this.position, end);
    const colon = name.indexOf(':');
    if (colon === -1) throw this.syntax('an enum and its case, separated by a colon');
    if (!CLASS_NAME.test(name.slice(0, colon))) throw this.syntax('the name of an enum');
    const className = this.string(this.position, this.position + colon);
    const caseName = this.string(this.position + colon + 1, end);
    if (typeof caseName !== 'string') throw this.syntax('a case name in UTF-8');
    this.position = end + 2;
    return new PhpEnum(className, caseName);
  }

  #className(): PhpClassName {
    const end = this.quoted(COLON);
    const name = this.text.slice(this.position, end);
    if (!CLASS_NAME.test(name) || name.startsWith('\\')) throw this.syntax('a class name');
    const className = this.string(this.position, end);
    this.position = end + 2;
    return className;
  }

  #readReference(frame: ContainerFrame): void {
    const slot = this.#readTarget(frame, this.slotCount);
    const open = slot.frame.child;
    let box: PhpReference;
    if (open !== undefined && slot.frame.key === slot.key) {
      open.box ??= new PhpReference(open.object);
      box = open.box;
    } else {
      const value = slot.frame.at(slot.key);
      box = value instanceof PhpReference ? value : new PhpReference(value);
      if (box !== value) slot.frame.put(slot.key, box);
    }
    frame.place(box);
  }

  #readHandle(frame: ContainerFrame): void {
    this.position -= 2;
    const before = this.position;
    const slot = this.#readTarget(frame, this.slotCount - 1);
    const open = slot.frame.child;
    const found = open !== undefined && slot.frame.key === slot.key ? open.object : slot.frame.at(slot.key);
    const object = found instanceof PhpReference ? found.value : found;
    if (!(object instanceof PhpObject || object instanceof PhpCustomObject || object instanceof PhpEnum)) {
      this.position = before;
      throw this.syntax('the number of a slot that holds an object');
    }
    frame.place(object);
  }

  #readTarget(frame: ContainerFrame, known: number): Slot {
    if (!this.#remembers) throw NO_SLOTS;
    const before = this.position;
    if (this.text.charCodeAt(before + 1) !== COLON) throw this.syntax('a value');
    this.position = before + 2;
    const target = this.digits();
    const end = this.position;
    this.expect(SEMICOLON, 'a semicolon');
    const slot = target <= known ? this.slots[target - 1] : undefined;
    if (slot === undefined || (slot.frame === frame && slot.key === frame.key)) {
      this.position = before;
      throw this.syntax('the number of an earlier slot');
    }
    const own = known < this.slotCount ? this.slotCount : undefined;
    this.references.push({ start: before + 2, end, target, slot: own, fixed: false });
    return slot;
  }

  #checkCount(count: number, from: number): void {
    // PHP's own guard: an element takes two bytes at least.
    if (count > Math.floor((this.bytes.length - from) / 2)) {
      throw this.syntax(`${count} elements, for which the data is too short,`);
    }
    if (this.slotCount + count > this.#limits.maxValues) throw this.#tooMany();
  }

  #tooMany(): StormlampError {
    const { maxValues } = this.#limits;
    return overLimit(`The data holds too many values at byte ${this.position}`, maxValues, 'maxValues');
  }
}

function closed(frame: ContainerFrame): unknown {
  const { box, value } = frame;
  if (box === undefined) return value;
  box.value = value;
  return box;
}
