/** Finds the variables that are equal in two states of a session, however many of them share the same objects. */
import { OrderedMap } from './ordered-map.js';
import { PhpFloat } from './php-float.js';
import { PhpCustomObject, PhpEnum, PhpObject } from './php-object.js';
import { PhpReference } from './php-reference.js';
import { serialize } from './serialize.js';
import type { SessionDocument } from './session-document.js';
import { innermost } from './value-identity.js';

/** Two values of one variable that may be equal. */
export interface ValuePair {
  /** The variable. */
  readonly name: string;
  /** Its value in one state. */
  readonly one: unknown;
  /** Its value in the other state. */
  readonly other: unknown;
}

/** A variable, or an object or reference that several places may share. */
interface Node {
  readonly one: unknown;
  readonly other: unknown;
  state: State;
  /** What it stands in. */
  readonly holders: Node[];
}

const EQUAL = 0;
/** Bound to other places, or made of other things that may come to the same bytes. */
const UNSURE = 1;
const DIFFERS = 2;
type State = typeof EQUAL | typeof UNSURE | typeof DIFFERS;

/** How many times the size of a session its variables are encoded alone where nothing else can tell. */
const CLOSER_LOOKS = 2;
const MIN_EFFORT_BYTES = 65_536;

/**
 * The names of the variables that have equal bytes ({@link SessionDocument.bytesOf}) in both states. Everything is looked at once,
 * so that this takes as long as the session is large; where that is not enough and too much would have to be encoded for
 * certainty, variables count as different.
 */
export function equalVariables(one: SessionDocument, other: SessionDocument): ReadonlySet<string> {
  const equal = new Set<string>();
  const pairs: ValuePair[] = [];
  for (const name of one.keys) {
    if (!other.has(name)) continue;
    const bytes = one.plainBytesOf(name);
    const others = other.plainBytesOf(name);
    if (bytes === undefined || others === undefined)
      pairs.push({ name, one: one.get(name), other: other.get(name) });
    else if (bytes.equals(others)) equal.add(name);
  }
  const effort = effortFor(one.bytes.length);
  for (const [name, state] of compareSideBySide(pairs)) {
    if (state === EQUAL || (state === UNSURE && sameAlone(name, one, other, effort))) equal.add(name);
  }
  return equal;
}

/**
 * The names of those of `pairs` whose value (`one`, in the form that `serialize` takes) leaves the variable of `document`
 * (`other`) as it is. As exact, and as fast, as {@link equalVariables}.
 */
export function variablesHeld(document: SessionDocument, pairs: readonly ValuePair[]): ReadonlySet<string> {
  const held = new Set<string>();
  const effort = effortFor(document.bytes.length);
  const values = new Map(pairs.map(({ name, one }) => [name, one]));
  for (const [name, state] of compareSideBySide(pairs)) {
    // A value may be given in another form than it is read in.
    if (state === EQUAL || isHeld(document, name, values.get(name), effort)) held.add(name);
  }
  return held;
}

/** The names of those of `pairs` that are written alike in a session of `size` bytes. As exact, and as fast, as {@link equalVariables}. */
export function equalValues(pairs: readonly ValuePair[], size: number): ReadonlySet<string> {
  const equal = new Set<string>();
  const effort = effortFor(size);
  const values = new Map(pairs.map((pair) => [pair.name, pair]));
  for (const [name, state] of compareSideBySide(pairs)) {
    const pair = values.get(name);
    if (state === EQUAL || (pair !== undefined && areWrittenAlike(pair, effort))) equal.add(name);
  }
  return equal;
}

function areWrittenAlike({ one, other }: ValuePair, effort: Effort): boolean {
  if (one === undefined || other === undefined || effort.bytes > effort.enough) return false;
  try {
    const [bytes, others] = [serialize(one), serialize(other)];
    effort.bytes += bytes.length + others.length;
    return bytes.equals(others);
  } catch {
    // What cannot be written is equal to nothing.
    return false;
  }
}

function isHeld(document: SessionDocument, name: string, value: unknown, effort: Effort): boolean {
  if (effort.bytes > effort.enough) return false;
  try {
    return document.holds(name, value, effort);
  } catch {
    // What cannot be stored is stored nowhere.
    return false;
  }
}

interface Effort {
  bytes: number;
  readonly enough: number;
}

function effortFor(bytes: number): Effort {
  return { bytes: 0, enough: CLOSER_LOOKS * bytes + MIN_EFFORT_BYTES };
}

function sameAlone(name: string, one: SessionDocument, other: SessionDocument, effort: Effort): boolean {
  if (effort.bytes > effort.enough) return false;
  const [bytes, others] = [one.bytesOf(name), other.bytesOf(name)];
  effort.bytes += (bytes?.length ?? 0) + (others?.length ?? 0);
  return bytes !== undefined && others !== undefined && bytes.equals(others);
}

function compareSideBySide(pairs: readonly ValuePair[]): Map<string, State> {
  const walk = new Walk();
  const roots = pairs.map(({ name, one, other }) => [name, walk.add(one, other)] as const);
  walk.run();
  return new Map(roots.map(([name, { state }]) => [name, state]));
}

class Walk {
  readonly #shared = new Map<object, Node>();
  readonly #partners = new Map<object, object>();
  readonly #pending: Node[] = [];
  readonly #marked: Node[] = [];

  add(one: unknown, other: unknown): Node {
    const node: Node = { one, other, state: EQUAL, holders: [] };
    this.#pending.push(node);
    return node;
  }

  run(): void {
    for (let node = this.#pending.pop(); node !== undefined; node = this.#pending.pop()) this.#look(node);
    for (let node = this.#marked.pop(); node !== undefined; node = this.#marked.pop())
      for (const holder of node.holders) this.#mark(holder, node.state);
  }

  #mark(node: Node, state: State): void {
    if (state <= node.state) return;
    node.state = state;
    this.#marked.push(node);
  }

  /** Compares what a node holds, down to what is shared. */
  #look(node: Node): void {
    const pending = contentsOf(node);
    if (pending === undefined) {
      this.#mark(node, DIFFERS);
      return;
    }
    while (pending.length > 0) {
      const other = pending.pop();
      const one = pending.pop();
      if (isShared(one) || isShared(other)) {
        this.#share(node, one, other);
        if (node.state === DIFFERS) return;
      } else if (!pairContents(one, other, pending)) {
        this.#mark(node, DIFFERS);
        return;
      }
    }
  }

  #share(holder: Node, one: unknown, other: unknown): void {
    if (one instanceof PhpReference !== other instanceof PhpReference) {
      // A reference that nobody else in the variable holds is written as what it refers to.
      this.#mark(holder, UNSURE);
      return;
    }
    if (!isShared(one) || !isShared(other)) {
      this.#mark(holder, DIFFERS);
      return;
    }
    const [mine, theirs] = [inner(one), inner(other)];
    const known = this.#shared.get(mine);
    if (known === undefined && !this.#partners.has(theirs)) {
      this.#partners.set(theirs, mine);
      const node = this.add(mine, theirs);
      node.holders.push(holder);
      this.#shared.set(mine, node);
    } else if (known?.other === theirs) {
      known.holders.push(holder);
      this.#mark(holder, known.state);
    } else {
      this.#mark(holder, UNSURE);
    }
  }
}

function isShared(value: unknown): value is PhpReference | PhpObject | PhpCustomObject {
  return value instanceof PhpReference || value instanceof PhpObject || value instanceof PhpCustomObject;
}

function inner(value: PhpReference | PhpObject | PhpCustomObject): object {
  return value instanceof PhpReference ? (innermost(value) ?? value) : value;
}

/** What a node's two sides hold, in turns; undefined when they cannot be equal. */
function contentsOf({ one, other, holders }: Node): unknown[] | undefined {
  // A variable may itself be what is shared.
  if (holders.length === 0) return [one, other];
  if (one instanceof PhpReference)
    return other instanceof PhpReference ? [one.value, other.value] : undefined;
  if (one instanceof PhpObject) {
    const pending: unknown[] = [];
    const alike =
      other instanceof PhpObject &&
      sameText(one.className, other.className) &&
      pairMaps(one.properties, other.properties, pending);
    return alike ? pending : undefined;
  }
  const alike =
    one instanceof PhpCustomObject &&
    other instanceof PhpCustomObject &&
    sameText(one.className, other.className) &&
    one.data.equals(other.data);
  return alike ? [] : undefined;
}

/** Compares two values that nobody shares, and leaves what they hold to be compared; false when they differ. */
function pairContents(one: unknown, other: unknown, pending: unknown[]): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (one instanceof Uint8Array) return other instanceof Uint8Array && sameText(one, other);
  if (one instanceof PhpFloat) return other instanceof PhpFloat && Object.is(one.value, other.value);
  if (one instanceof PhpEnum) {
    return (
      other instanceof PhpEnum && sameText(one.className, other.className) && one.caseName === other.caseName
    );
  }
  if (Object.getPrototypeOf(one) !== Object.getPrototypeOf(other)) return false;
  if (one instanceof OrderedMap) return other instanceof OrderedMap && pairMaps(one, other, pending);
  const keys = Object.keys(one);
  const others = Object.keys(other);
  if (keys.length !== others.length) return false;
  for (const [index, key] of keys.entries()) {
    if (key !== others[index]) return false;
    pending.push((one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]);
  }
  return true;
}

function pairMaps(one: OrderedMap, other: OrderedMap, pending: unknown[]): boolean {
  if (one.size !== other.size) return false;
  const others = other.entries();
  for (const [key, value] of one.entries()) {
    const next = others.next();
    if (next.done === true || !sameText(key, next.value[0])) return false;
    pending.push(value, next.value[1]);
  }
  return true;
}

/** Whether two names or keys are equal; bytes that are not UTF-8 are Buffers. */
function sameText(one: unknown, other: unknown): boolean {
  return one instanceof Uint8Array && other instanceof Uint8Array
    ? Buffer.compare(one, other) === 0
    : one === other;
}
