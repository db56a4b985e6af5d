/** A session's variables as express-session can handle them: it compares sessions by their JSON. */
import { OrderedMap, type PhpKey } from '../php/ordered-map.js';
import { PhpFloat } from '../php/php-float.js';
import { PhpCustomObject, PhpEnum, PhpObject } from '../php/php-object.js';
import { PhpReference } from '../php/php-reference.js';
import { serialize } from '../php/serialize.js';
import { checkVariableName } from '../php/session-handler.js';
import { type Session, setVariable } from '../session/session.js';
import { JsonWeight } from './json-weight.js';

/** What was shown of one variable. */
interface ShownVariable {
  readonly json: string | undefined;
  readonly original: unknown;
}

/** The variables of a loaded session in a form that `JSON.stringify` takes, and the way back. */
export class JsonVariables {
  readonly #session: Session;
  readonly #shown = new Map<string, ShownVariable>();
  /**
   * The variables to hand out; 64-bit integers are decimal texts. Left out are values that contain themselves, or that share so
   * much that their JSON would be many times the session.
   */
  readonly values: Record<string, unknown> = {};

  /** Shows the variables of `session`. */
  constructor(session: Session) {
    this.#session = session;
    const weight = new JsonWeight(session.base.bytes.length);
    for (const [name, original] of Object.entries(session.data)) {
      if (name === 'cookie') continue;
      const shown = weight.allows(original) ? show(original) : undefined;
      if (shown === undefined) continue;
      this.#shown.set(name, { json: shown.json, original });
      setVariable(this.values, name, shown.value);
    }
  }

  /** The session. */
  get session(): Session {
    return this.#session;
  }

  /**
   * Takes over what an application made of the variables. One whose JSON is the same as before keeps its value, and with
   * it its bytes; one that was never shown stays. A variable whose name, or text, PHP's format cannot hold is passed over.
   *
   * @returns why the first of those cannot be stored, undefined when there is none
   */
  take(from: object): unknown {
    const { data } = this.#session;
    let refused: unknown;
    for (const name of this.#shown.keys()) {
      // A name that express-session's own members have never got into the session object; it was not deleted.
      if (Object.hasOwn(from, name) || name in from) continue;
      delete data[name];
      this.#shown.delete(name);
    }
    for (const [name, value] of Object.entries(from)) {
      if (name === 'cookie') continue;
      const before = this.#shown.get(name);
      const json = JSON.stringify(value);
      if (before !== undefined && json === before.json) continue;
      const plain = toPlain(value, before?.original);
      try {
        if (plain === undefined) delete data[name];
        else {
          checkVariableName(name, this.#session.base.handler);
          // Seldom: half of a surrogate pair stands in JSON as an escape of its own.
          if (json?.includes('\\ud') === true) serialize({ [name]: plain });
          setVariable(data, name, plain);
        }
      } catch (error) {
        refused ??= error;
        continue;
      }
      this.#shown.set(name, { json, original: plain });
    }
    return refused;
  }
}

function show(original: unknown): { readonly value: unknown; readonly json: string | undefined } | undefined {
  try {
    return { value: original, json: JSON.stringify(original) };
  } catch {
    // A 64-bit integer, or a value that contains itself.
  }
  try {
    const value = withTexts(original, new Map());
    return { value, json: JSON.stringify(value) };
  } catch {
    return undefined;
  }
}

/** A value with texts for 64-bit integers: what holds none of them is the very value, so that nothing of it is lost. */
function withTexts(value: unknown, copies: Map<object, unknown>): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  const known = copies.get(value);
  if (known !== undefined) return known;
  const copy = copyWithTexts(value, copies);
  copies.set(value, copy);
  return copy;
}

function copyWithTexts(value: object, copies: Map<object, unknown>): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => withTexts(item, copies));
    return items.every((item, index) => Object.is(item, value[index])) ? value : items;
  }
  if (value instanceof PhpObject) {
    return mapProperties(value, (item) => withTexts(item, copies));
  }
  if (value instanceof Uint8Array || isOfPhp(value)) return value;
  const copy: Record<string, unknown> = {};
  let same = true;
  for (const [name, item] of Object.entries(value)) {
    const shown = withTexts(item, copies);
    same &&= Object.is(shown, item);
    setVariable(copy, name, shown);
  }
  return same ? value : copy;
}

/** The object itself where `change` leaves all of its properties as they are. */
function mapProperties(object: PhpObject, change: (item: unknown, key: PhpKey) => unknown): PhpObject {
  const entries = [...object.properties].map(([key, item]) => [key, change(item, key)] as const);
  const same = entries.every(([key, item]) => Object.is(item, object.properties.get(key)));
  return same ? object : new PhpObject(object.className, entries);
}

/** What JSON would make of a value, but PHP's own values, bytes and 64-bit integers stay what they are. */
function toPlain(value: unknown, original: unknown): unknown {
  if (typeof original === 'bigint' && value === original.toString()) return original;
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof PhpObject && original instanceof PhpObject)
    return orOriginal(
      mapProperties(value, (item, key) => toPlain(item, original.properties.get(key))),
      original,
    );
  if (value instanceof Uint8Array || isOfPhp(value)) return value;
  if (value instanceof String || value instanceof Number || value instanceof Boolean) return value.valueOf();
  if ('toJSON' in value && typeof value.toJSON === 'function') return toPlain(value.toJSON(), original);
  const before = typeof original === 'object' && original !== null ? original : undefined;
  if (Array.isArray(value)) {
    const old: readonly unknown[] = Array.isArray(before) ? before : [];
    // A hole is null in JSON; `map` would leave it one.
    const items = Array.from(value, (item: unknown, index) => toPlain(item, old[index]) ?? null);
    if (items.every((item, index) => item === value[index])) return value;
    return items.length === old.length && items.every((item, index) => Object.is(item, old[index]))
      ? original
      : items;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  const copy: Record<string, unknown> = {};
  // PHP has no counterpart of JavaScript's classes: an instance is stored as its own properties.
  let same = prototype === Object.prototype || prototype === null;
  for (const [name, item] of Object.entries(value)) {
    const old = before !== undefined && Object.hasOwn(before, name) ? Reflect.get(before, name) : undefined;
    const plain = toPlain(item, old);
    same &&= plain === item;
    if (plain !== undefined) setVariable(copy, name, plain);
  }
  // The very object remembers what PHP had there; a copy is made only where something has to change.
  if (same) return value;
  return before !== undefined && isCopyOf(copy, before) ? original : copy;
}

function orOriginal(object: PhpObject, original: PhpObject): PhpObject {
  const { className, properties } = original;
  const same =
    object.className === className &&
    object.properties.size === properties.size &&
    [...object.properties].every(([key, item]) => Object.is(item, properties.get(key)));
  return same ? original : object;
}

function isCopyOf(copy: Readonly<Record<string, unknown>>, before: object): boolean {
  const names = Object.keys(copy);
  return (
    names.length === Object.keys(before).length &&
    names.every((name) => Object.hasOwn(before, name) && Object.is(copy[name], Reflect.get(before, name)))
  );
}

function isOfPhp(value: object): boolean {
  return (
    value instanceof PhpObject ||
    value instanceof OrderedMap ||
    value instanceof PhpEnum ||
    value instanceof PhpCustomObject ||
    value instanceof PhpFloat ||
    value instanceof PhpReference
  );
}
