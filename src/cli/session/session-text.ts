/** Sessions as text: variables as JSON, as far as JSON can hold what PHP had, and what differs between copies. */

import { equalVariables } from '../../php/equal-variables.js';
import {
  OrderedMap,
  PhpObject,
  SessionDocument,
  type SessionHandler,
  SessionView,
  serialize,
} from '../../php/index.js';

/**
 * A decoded session.
 *
 * @throws StormlampError `ERR_PHP_SYNTAX` when the bytes are no session of that handler.
 */
export function documentOf(bytes: Buffer, handler: SessionHandler): SessionDocument {
  return SessionDocument.decode(bytes, handler);
}

/**
 * A decoded session that somebody pasted, or piped from a program that ends what it prints with a line: that end is left out where
 * the bytes are a session without it only.
 *
 * @throws StormlampError `ERR_PHP_SYNTAX` when they are no session of that handler.
 */
export function pastedDocument(bytes: Buffer, handler: SessionHandler): SessionDocument {
  try {
    return documentOf(bytes, handler);
  } catch (error) {
    const end = bytes.at(-1) === 0x0a ? (bytes.at(-2) === 0x0d ? 2 : 1) : 0;
    if (end === 0) throw error;
    return documentOf(bytes.subarray(0, -end), handler);
  }
}

/** The variables of `document` as JSON, by {@link jsonWriter}. */
export function variablesOf(document: SessionDocument): Readonly<Record<string, unknown>> {
  const write = jsonWriter();
  const { data } = new SessionView(document);
  return Object.fromEntries(Object.keys(data).map((name) => [name, write(data[name], name)]));
}

/** Characters that are written again for what several places share, at most. */
const REPEATED_LIMIT = 65_536;
/** What is nested deeper is not written, in levels: neither a person nor `JSON.stringify` gets to the end of the 4096 that PHP allows. */
const DEPTH_LIMIT = 512;
/** A text that is longer counts as shared where it is seen again: PHP binds texts, too. */
const LONG_TEXT = 64;

interface Written {
  readonly json: unknown;
  readonly size: number;
  readonly path: string;
}

/**
 * Makes a function that gives a value, found at `path`, as JSON: integers beyond 2^53 are decimal texts, bytes that are no text
 * base64, objects have `className` and `properties`, a value within itself is told. What several places share is written at each
 * of them, over all calls up to 64 kB in sum, and then told as `(same as …)`: a few hundred bytes of PHP can stand for terabytes.
 * What is nested deeper than 512 levels is told, too.
 */
export function jsonWriter(): (value: unknown, path: string) => unknown {
  const inside = new Set<object>();
  const known = new Map<unknown, Written>();
  let repeated = 0;
  let size = 0;
  const again = ({ json, size: length, path }: Written): unknown => {
    const isTooMuch = repeated + length > REPEATED_LIMIT;
    if (!isTooMuch) repeated += length;
    const result = isTooMuch ? `(same as ${path})` : json;
    size += isTooMuch ? path.length + 12 : length;
    return result;
  };
  const convert = (item: unknown, path: string): unknown => {
    const isShared =
      typeof item === 'string' ? item.length > LONG_TEXT : typeof item === 'object' && item !== null;
    if (!isShared) {
      size += typeof item === 'string' ? item.length + 2 : 8;
      return plainJson(item);
    }
    if (typeof item === 'object' && inside.has(item as object)) return '(contains itself)';
    const written = known.get(item);
    if (written !== undefined) return again(written);
    if (typeof item === 'object' && inside.size >= DEPTH_LIMIT) {
      size += 24;
      return '(nested too deep)';
    }
    const before = size;
    let json: unknown = item;
    if (typeof item === 'string') size += item.length + 2;
    else {
      inside.add(item as object);
      json = container(item as object, path);
      inside.delete(item as object);
    }
    known.set(item, { json, size: size - before, path });
    return json;
  };
  const container = (item: object, path: string): unknown => {
    size += 2;
    if (Buffer.isBuffer(item)) {
      const base64 = item.toString('base64');
      size += base64.length + 12;
      return { base64 };
    }
    if (Array.isArray(item)) return item.map((each, index) => convert(each, `${path}[${index}]`));
    if (item instanceof PhpObject) {
      const properties = record(propertiesOf(item), path);
      return { className: convert(item.className, `${path} (class)`), properties };
    }
    return record(item instanceof OrderedMap ? [...item] : Object.entries(item), path);
  };
  const record = (entries: Iterable<readonly [unknown, unknown]>, path: string): unknown =>
    Object.fromEntries(
      Array.from(entries, ([key, each]) => {
        const name = String(key);
        size += name.length + 4;
        return [name, convert(each, `${path}.${name}`)];
      }),
    );
  return convert;
}

function plainJson(item: unknown): unknown {
  if (typeof item === 'bigint') return String(item);
  return typeof item === 'number' && !Number.isFinite(item) ? String(item) : item;
}

/** The properties by their bare names; the second of one name, which a parent class keeps to itself, as PHP's `print_r` writes it. */
function propertiesOf({ properties }: PhpObject): readonly (readonly [string, unknown])[] {
  const names = new Set<string>();
  return Array.from(properties, ([key, value]) => {
    const [, scope, rest] = /^\0([^\0]*)\0(.*)$/s.exec(String(key)) ?? [];
    const bare = rest ?? String(key);
    const full = scope === undefined ? bare : `${bare}:${scope === '*' ? 'protected' : `${scope}:private`}`;
    const name = names.has(bare) ? full : bare;
    names.add(name);
    return [name, value] as const;
  });
}

/** One variable that two copies do not hold alike. */
export interface VariableDifference {
  /** Its name. */
  readonly variable: string;
  /**
   * What each copy holds, by node; a copy without it is left out. Where JSON shows no difference (an integer and a float, an order,
   * a reference), what PHP's `serialize()` makes of it, as `{ php }`.
   */
  readonly values: Readonly<Record<string, unknown>>;
}

/** The variables that the copies do not all hold alike, to the byte. */
export function differencesOf(
  copies: Readonly<Record<string, SessionDocument>>,
): readonly VariableDifference[] {
  const [first, ...others] = Object.values(copies);
  if (first === undefined || others.length === 0) return [];
  const equal = others.map((other) => equalVariables(first, other));
  const names = new Set(Object.values(copies).flatMap((document) => [...document.keys]));
  const differing = [...names].filter((name) => !equal.every((same) => same.has(name)));
  const shown = Object.entries(copies).map(
    ([node, document]) => [node, document, new SessionView(document).data, jsonWriter()] as const,
  );
  return differing.map((variable) => {
    const holders = shown.filter(([, document]) => document.has(variable));
    const json = holders.map(([node, , data, write]) => [node, write(data[variable], variable)] as const);
    const texts = new Set(json.map(([, value]) => JSON.stringify(value)));
    if (texts.size > 1 || holders.length < shown.length)
      return { variable, values: Object.fromEntries(json) };
    const stored = holders.map(
      ([node, document]) => [node, { php: serialize(document.get(variable)).toString() }] as const,
    );
    return { variable, values: Object.fromEntries(stored) };
  });
}
