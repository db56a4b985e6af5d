/** Sessions as text: variables as JSON, as far as JSON can hold what PHP had, and what differs between copies. */
import { SessionDocument, type SessionHandler, SessionView } from '../../php/index.js';

/** The variables of a decoded session. */
export type Variables = Readonly<Record<string, unknown>>;

/**
 * The variables of stored bytes.
 *
 * @throws StormlampError `ERR_PHP_SYNTAX` when they are no session of that handler.
 */
export function variablesOf(bytes: Buffer, handler: SessionHandler): Variables {
  return new SessionView(SessionDocument.decode(bytes, handler)).data;
}

/** A value as JSON: integers beyond 2^53 are decimal texts, bytes that are no text base64, a value within itself is told. */
export function jsonOf(value: unknown): unknown {
  const inside: object[] = [];
  const convert = (item: unknown): unknown => {
    if (typeof item === 'bigint') return String(item);
    if (typeof item === 'number' && !Number.isFinite(item)) return String(item);
    if (typeof item !== 'object' || item === null) return item;
    if (Buffer.isBuffer(item)) return { base64: item.toString('base64') };
    if (inside.includes(item)) return '(contains itself)';
    inside.push(item);
    const entries = item instanceof Map ? [...item] : Object.entries(item);
    const converted = Array.isArray(item)
      ? item.map(convert)
      : Object.fromEntries(entries.map(([name, inner]) => [String(name), convert(inner)]));
    inside.pop();
    return converted;
  };
  return convert(value);
}

/** One variable that two copies do not hold alike. */
export interface VariableDifference {
  /** Its name. */
  readonly variable: string;
  /** What each copy holds, by node; a copy without it is left out. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** The variables that the copies do not all hold alike. */
export function differencesOf(copies: Readonly<Record<string, Variables>>): readonly VariableDifference[] {
  const names = new Set(Object.values(copies).flatMap((variables) => Object.keys(variables)));
  return [...names].flatMap((variable) => {
    const holders = Object.entries(copies).filter(([, variables]) => Object.hasOwn(variables, variable));
    const texts = holders.map(([, variables]) => JSON.stringify(jsonOf(variables[variable])));
    if (holders.length === Object.keys(copies).length && new Set(texts).size === 1) return [];
    const values = Object.fromEntries(
      holders.map(([node, variables]) => [node, jsonOf(variables[variable])]),
    );
    return [{ variable, values }];
  });
}
