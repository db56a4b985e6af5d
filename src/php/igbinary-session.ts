/** Sessions in the format of PHP's igbinary extension: one document that holds all variables. */
import { copiesIn } from './edited-copies.js';
import { IgbinaryReader } from './igbinary-reader.js';
import { IgbinaryWriter } from './igbinary-writer.js';
import { integerOfKey } from './integer-key.js';
import { OrderedMap, type PhpKey } from './ordered-map.js';
import type { ResolvedPhpLimits } from './php-limits.js';
import { PhpObject } from './php-object.js';
import type { VariableChange } from './session-document.js';
import { refuseIntegerName } from './session-handler.js';

/** A variable of an igbinary session. */
export interface IgbinaryVariable {
  /** The name; a Buffer when it is not UTF-8. */
  readonly name: string | Buffer;
  /** The decoded value. */
  readonly value: unknown;
}

/**
 * Reads the variables. PHP ignores integer names and bytes behind the document, and so do we.
 *
 * @throws StormlampError `ERR_PHP_SYNTAX` where PHP would fail to decode, `ERR_PHP_LIMIT`.
 */
export function readIgbinarySession(bytes: Buffer, limits: ResolvedPhpLimits): IgbinaryVariable[] {
  if (bytes.length === 0) return [];
  const reader = new IgbinaryReader(bytes, limits);
  const session = reader.read();
  if (typeof session !== 'object' || session === null || session instanceof PhpObject) {
    reader.position = 4;
    throw reader.syntax('an array of session variables');
  }
  const entries: Iterable<[PhpKey, unknown]> =
    session instanceof OrderedMap ? session : Array.isArray(session) ? [] : Object.entries(session);
  return Array.from(entries, ([name, value]) => ({ name, value })).filter(hasName);
}

/**
 * Writes the variables with some changed. Variables keep their places, new ones come last.
 *
 * @throws StormlampError `ERR_PHP_VALUE`, `ERR_PHP_LIMIT`.
 */
export function writeIgbinarySession(
  variables: readonly IgbinaryVariable[],
  changes: ReadonlyMap<string, VariableChange>,
  limits: ResolvedPhpLimits,
): Buffer {
  const session = new OrderedMap(variables.map(({ name, value }) => [name, value] as const));
  const written: unknown[] = [];
  for (const [name, change] of changes) {
    if (change.kind === 'delete') {
      session.delete(name);
      continue;
    }
    refuseIntegerName(name, 'igbinary');
    session.set(name, change.value);
    written.push(change.value);
  }
  return new IgbinaryWriter(limits, copiesIn(written)).write(session);
}

function hasName(variable: { readonly name: PhpKey; readonly value: unknown }): variable is IgbinaryVariable {
  const { name } = variable;
  if (typeof name === 'string') return integerOfKey(name) === undefined;
  return typeof name === 'object';
}
