/** Takes a session container apart into its variables, without losing where each one's bytes are. */
import { isUtf8 } from 'node:buffer';
import { ContainerFrame } from './container-frame.js';
import { integerOfKey } from './integer-key.js';
import type { PhpKey } from './ordered-map.js';
import { originOf } from './origin.js';
import { PhpArray } from './php-array.js';
import type { ResolvedPhpLimits } from './php-limits.js';
import { PhpReference } from './php-reference.js';
import { phpSyntaxError } from './php-syntax-error.js';
import { skipArray } from './skip-array.js';
import type { SlotTracking } from './slot-tracking.js';
import { identityOf, type ValueIdentity } from './value-identity.js';
import { type ReferenceToken, ValueReader } from './value-reader.js';

/** A variable of a session and where it stands in the bytes. */
export interface SessionVariable {
  /** The name; a Buffer when it is not UTF-8. */
  readonly name: PhpKey;
  /** The decoded value; that of an array may be decoded when it is first asked for. */
  readonly value: unknown;
  /** Whether it is an array that nobody has asked for yet. */
  readonly unread: boolean;
  /** Offset of the name's first byte, with what marks it as a name. */
  readonly headStart: number;
  /** Offset of the value. */
  readonly start: number;
  /** Offset behind the value. */
  readonly end: number;
  /** Number of the value's first slot. */
  readonly firstSlot: number;
  /** How many slots the value takes. */
  readonly slotCount: number;
  /** The references inside the value. */
  readonly references: readonly ReferenceToken[];
}

/** A session container taken apart. */
export interface SessionParts {
  /** Every occurrence of every variable, in the order of the bytes. */
  readonly variables: readonly SessionVariable[];
  /** The variables that count, by name: the last of those that are repeated. */
  readonly byName: ReadonlyMap<string, SessionVariable>;
  /** Whether objects or references are in it, so that slots matter. */
  readonly tracked: boolean;
  /** The object or reference that stands at a slot, undefined for everything else. */
  readonly identityAt: (slot: number) => ValueIdentity | undefined;
  /** The reference that something inside has to `$_SESSION` itself (`php_serialize` only). */
  readonly self: PhpReference | undefined;
}

/** A format of which single variables can be copied. */
export type TextHandler = 'php' | 'php_serialize' | 'php_binary';
/** When arrays are decoded: with everything else, or each when it is first asked for; what is wrong in them is found at once. */
type ArrayDecoding = 'now' | 'later';

/**
 * Reads a container.
 *
 * @param arrays when arrays are decoded; where there are objects or references, it is always now
 * @throws StormlampError `ERR_PHP_SYNTAX` where PHP would fail to decode (and delete the session), `ERR_PHP_LIMIT`.
 */
export function readSession(
  bytes: Buffer,
  handler: TextHandler,
  limits: ResolvedPhpLimits,
  tracking: SlotTracking,
  arrays: ArrayDecoding,
): SessionParts {
  const reader = new ValueReader(bytes, limits, tracking);
  const session = new ContainerFrame(0, undefined);
  const later = arrays === 'later' && tracking === 'no-objects' ? limits : undefined;
  const variables: StoredVariable[] = [];
  const places: number[] = [];
  const read = (place: number, name: PhpKey, headStart: number, outerDepth: number): void => {
    variables.push(readVariable(reader, session, place, name, headStart, outerDepth, later));
    places.push(place);
  };
  let self: PhpReference | undefined;
  if (handler === 'php_serialize') {
    if (bytes.length > 0) self = readArray(reader, read);
  } else {
    while (reader.position < bytes.length) {
      const headStart = reader.position;
      const name = handler === 'php' ? readDelimited(reader) : readCounted(reader);
      read(variables.length, name, headStart, 0);
    }
  }
  finish(variables, places, session, reader);
  const byName = new Map<string, SessionVariable>();
  for (const variable of variables) {
    if (typeof variable.name !== 'object') byName.set(String(variable.name), variable);
  }
  return {
    variables,
    byName,
    tracked: tracking === 'all' || tracking === 'opaque',
    identityAt: (slot) => {
      const place = reader.slots[slot - 1];
      if (place === undefined) return undefined;
      const value =
        place.frame.parent === undefined && place.frame !== session ? self : place.frame.at(place.key);
      if (!(value instanceof PhpReference)) return identityOf(value);
      return identityOf(value.value) ?? originOf(value);
    },
    self,
  };
}

/** A variable, with the bytes of its array where that is not decoded yet. */
class StoredVariable implements SessionVariable {
  readonly name: PhpKey;
  readonly headStart: number;
  readonly start: number;
  readonly end: number;
  readonly firstSlot: number;
  readonly slotCount: number;
  references: readonly ReferenceToken[] = NO_REFERENCES;
  #value: unknown;
  #limits: ResolvedPhpLimits | undefined;
  #bytes: Buffer | undefined;

  constructor(
    name: PhpKey,
    headStart: number,
    start: number,
    firstSlot: number,
    reader: ValueReader,
    later?: ResolvedPhpLimits,
  ) {
    this.name = name;
    this.headStart = headStart;
    this.start = start;
    this.end = reader.position;
    this.firstSlot = firstSlot;
    this.slotCount = reader.slotCount - firstSlot + 1;
    this.#limits = later;
    this.#bytes = later === undefined ? undefined : reader.bytes;
  }

  get unread(): boolean {
    return this.#bytes !== undefined;
  }

  get value(): unknown {
    if (this.#bytes !== undefined && this.#limits !== undefined) {
      const root = new ContainerFrame(1, undefined);
      new ValueReader(this.#bytes.subarray(this.start, this.end), this.#limits, 'none').readInto(root);
      this.value = root.at(0);
    }
    return this.#value;
  }

  set value(value: unknown) {
    this.#value = value;
    this.#bytes = undefined;
  }
}

const NO_REFERENCES: readonly ReferenceToken[] = [];

function readArray(
  reader: ValueReader,
  read: (place: number, name: PhpKey, headStart: number, outerDepth: number) => void,
): PhpReference | undefined {
  const root = new ContainerFrame(1, undefined);
  if (reader.text.startsWith('N;')) return undefined;
  const outer = reader.beginArray(root);
  const places = new PhpArray();
  for (let left = outer.remaining; left > 0; left -= 1) {
    const headStart = reader.position;
    const key = reader.readKey();
    const name = typeof key === 'string' ? (integerOfKey(key) ?? key) : key;
    // A repeated key is the same place, to which references hold.
    const place = (places.get(name) as number | undefined) ?? places.size;
    places.set(name, place);
    read(place, name, headStart, 1);
  }
  reader.expect(125, 'the closing brace of the session');
  return outer.box;
}

/** @param later the bounds for what is decoded later; undefined decodes everything now */
function readVariable(
  reader: ValueReader,
  session: ContainerFrame,
  place: number,
  name: PhpKey,
  headStart: number,
  outerDepth: number,
  later: ResolvedPhpLimits | undefined,
): StoredVariable {
  const start = reader.position;
  const firstSlot = reader.slotCount + 1;
  if (later !== undefined && skipArray(reader, outerDepth, later))
    return new StoredVariable(name, headStart, start, firstSlot, reader, later);
  session.enter(place);
  reader.readInto(session, outerDepth);
  return new StoredVariable(name, headStart, start, firstSlot, reader);
}

function readDelimited(reader: ValueReader): PhpKey {
  const end = reader.text.indexOf('|', reader.position);
  if (end === -1) throw phpSyntaxError('a name followed by `|`', reader.position, reader.bytes.length);
  return readName(reader, end, end + 1);
}

function readCounted(reader: ValueReader): PhpKey {
  // PHP ignores the highest bit of the length.
  const length = reader.text.charCodeAt(reader.position) & 0x7f;
  if (reader.position + length >= reader.bytes.length) {
    throw phpSyntaxError(`a name of ${length} bytes`, reader.position, reader.bytes.length);
  }
  reader.position += 1;
  return readName(reader, reader.position + length, reader.position + length);
}

function readName(reader: ValueReader, end: number, next: number): PhpKey {
  const start = reader.position;
  reader.position = next;
  if (reader.ascii) return reader.text.slice(start, end);
  const bytes = reader.bytes.subarray(start, end);
  return isUtf8(bytes) ? bytes.toString('utf8') : Buffer.from(bytes);
}

/** Gives the variables their values and references: an element may become a reference after it was read. */
function finish(
  variables: readonly StoredVariable[],
  places: readonly number[],
  session: ContainerFrame,
  reader: ValueReader,
): void {
  let next = 0;
  for (const [index, variable] of variables.entries()) {
    if (!variable.unread) variable.value = session.at(places[index] as number);
    const first = next;
    while (next < reader.references.length && (reader.references[next]?.start ?? 0) < variable.end) next += 1;
    if (next > first) variable.references = reader.references.slice(first, next);
  }
}
