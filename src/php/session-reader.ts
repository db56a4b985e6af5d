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
type Draft = Omit<SessionVariable, 'value' | 'references'> & { readonly place: number };

/** When arrays are decoded: with everything else, or each when it is first asked for; what is wrong in them is found at once. */
export type ArrayDecoding = 'now' | 'later';

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
  const drafts: Draft[] = [];
  const variable = (place: number, name: PhpKey, headStart: number, outerDepth: number): void => {
    const skipped =
      arrays === 'later' && tracking === 'no-objects' ? skipVariable(reader, outerDepth, limits) : undefined;
    drafts.push(
      skipped === undefined
        ? readVariable(reader, session, place, name, headStart, outerDepth)
        : { ...skipped, name, headStart, place },
    );
  };
  let self: PhpReference | undefined;
  if (handler === 'php_serialize') {
    if (bytes.length > 0) self = readArray(reader, variable);
  } else {
    while (reader.position < bytes.length) {
      const headStart = reader.position;
      const name = handler === 'php' ? readDelimited(reader) : readCounted(reader);
      variable(drafts.length, name, headStart, 0);
    }
  }
  const variables = finish(drafts, session, reader, limits);
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

function readArray(
  reader: ValueReader,
  variable: (place: number, name: PhpKey, headStart: number, outerDepth: number) => void,
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
    variable(place, name, headStart, 1);
  }
  reader.expect(125, 'the closing brace of the session');
  return outer.box;
}

function readVariable(
  reader: ValueReader,
  session: ContainerFrame,
  place: number,
  name: PhpKey,
  headStart: number,
  outerDepth: number,
): Draft {
  const start = reader.position;
  const firstSlot = reader.slotCount + 1;
  session.enter(place);
  reader.readInto(session, outerDepth);
  const slotCount = reader.slotCount - firstSlot + 1;
  return { name, headStart, place, start, end: reader.position, firstSlot, slotCount, unread: false };
}

/** Steps over an array; undefined for everything that has to be read. */
function skipVariable(
  reader: ValueReader,
  outerDepth: number,
  limits: ResolvedPhpLimits,
): Omit<Draft, 'name' | 'headStart' | 'place'> | undefined {
  const { position: start, slotCount: slots } = reader;
  if (reader.text.charCodeAt(start) !== 97) return undefined;
  const skipped = skipArray(reader.text, start, outerDepth, slots, limits);
  if (skipped === undefined) return undefined;
  const { end, slotCount } = skipped;
  reader.position = end;
  reader.slotCount += slotCount;
  return { start, end, firstSlot: slots + 1, slotCount, unread: true };
}

/** A variable whose array is decoded when it is first asked for. */
class UnreadArray implements SessionVariable {
  readonly name: PhpKey;
  readonly headStart: number;
  readonly start: number;
  readonly end: number;
  readonly firstSlot: number;
  readonly slotCount: number;
  readonly references: readonly ReferenceToken[] = [];
  readonly #bytes: Buffer;
  readonly #limits: ResolvedPhpLimits;
  #value: unknown;

  constructor(draft: Draft, bytes: Buffer, limits: ResolvedPhpLimits) {
    this.name = draft.name;
    this.headStart = draft.headStart;
    this.start = draft.start;
    this.end = draft.end;
    this.firstSlot = draft.firstSlot;
    this.slotCount = draft.slotCount;
    this.#bytes = bytes;
    this.#limits = limits;
  }

  get unread(): boolean {
    return this.#value === undefined;
  }

  get value(): unknown {
    if (this.#value === undefined) {
      const root = new ContainerFrame(1, undefined);
      new ValueReader(this.#bytes.subarray(this.start, this.end), this.#limits, 'none').readInto(root);
      this.#value = root.at(0);
    }
    return this.#value;
  }
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
  const bytes = reader.bytes.subarray(reader.position, end);
  reader.position = next;
  return isUtf8(bytes) ? bytes.toString('utf8') : Buffer.from(bytes);
}

function finish(
  drafts: readonly Draft[],
  session: ContainerFrame,
  reader: ValueReader,
  limits: ResolvedPhpLimits,
): SessionVariable[] {
  let next = 0;
  return drafts.map((draft) => {
    if (draft.unread) return new UnreadArray(draft, reader.bytes, limits);
    const { name, place, headStart, start, end, firstSlot, slotCount, unread } = draft;
    const first = next;
    while (next < reader.references.length && (reader.references[next]?.start ?? 0) < end) next += 1;
    const references = reader.references.slice(first, next);
    const value = session.at(place);
    return { name, value, unread, headStart, start, end, firstSlot, slotCount, references };
  });
}
