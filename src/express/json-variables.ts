/** A session's variables as express-session can handle them: it compares sessions by their JSON. */
import { OrderedMap } from '../php/ordered-map.js';
import { PhpFloat } from '../php/php-float.js';
import { PhpCustomObject, PhpEnum, PhpObject } from '../php/php-object.js';
import { PhpReference } from '../php/php-reference.js';
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
   * it its bytes; one that was never shown stays. A variable whose name PHP's format cannot hold is passed over.
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
      if (plain === undefined) delete data[name];
      else {
        try {
          checkVariableName(name, this.#session.base.handler);
        } catch (error) {
          refused ??= error;
          continue;
        }
        setVariable(data, name, plain);
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
    const json = JSON.stringify(original, (_key, value: unknown) =>
      typeof value === 'bigint' ? value.toString() : value,
    );
    return { value: JSON.parse(json), json };
  } catch {
    return undefined;
  }
}

/** What JSON would make of a value, but PHP's own values, bytes and 64-bit integers stay what they are. */
function toPlain(value: unknown, original: unknown): unknown {
  if (typeof original === 'bigint' && value === original.toString()) return original;
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array || isOfPhp(value)) return value;
  if (value instanceof String || value instanceof Number || value instanceof Boolean) return value.valueOf();
  if ('toJSON' in value && typeof value.toJSON === 'function') return toPlain(value.toJSON(), original);
  const before = typeof original === 'object' && original !== null ? original : undefined;
  if (Array.isArray(value)) {
    const old: readonly unknown[] = Array.isArray(before) ? before : [];
    const items = value.map((item: unknown, index) => toPlain(item, old[index]) ?? null);
    return items.every((item, index) => item === value[index]) ? value : items;
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
  return same ? value : copy;
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
