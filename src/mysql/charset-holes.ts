/**
 * Characters that the driver makes other characters of: what looks like a letter here would end a string there. It cuts
 * those that one byte cannot hold down to their last byte, and the Japanese sets have a backslash in the place of the yen.
 */
import type { Connection } from 'mysql2';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { charsetOf } from './connection-factory.js';
import type { PhysicalConnection } from './physical-connection.js';
import { NotSent } from './send-statement.js';
import type { Statement } from './statement.js';

const ONE_BYTE = /[\u0100-\uffff]/;
const YEN = /[\u00a5\u203e]/;

const HOLES: Readonly<Record<string, RegExp>> = {
  latin1: ONE_BYTE,
  ascii: ONE_BYTE,
  binary: ONE_BYTE,
  ujis: YEN,
  sjis: YEN,
  cp932: YEN,
};

/** Deeper nesting than any value has. */
const DEPTH_LIMIT = 8;

/** What connections with a number of a collation cannot send; undefined for all that is well. */
const known = new Map<number, { readonly charset: string; readonly hole: RegExp } | undefined>();

/**
 * Refuses a text with characters that would become other ones on their way over `connection`.
 *
 * @throws NotSent with `ERR_UNSUPPORTED`.
 */
export function refuseHoles(connection: PhysicalConnection, statement: Statement): void {
  const found = holeOf(numberOf(connection.raw));
  if (found === undefined) return;
  const { sql, form, mode, values } = statement;
  const given = values ?? (typeof form === 'string' ? undefined : form.values);
  const text = typeof form === 'string' ? form : form.sql;
  // What is prepared gets its values apart from the text.
  const character = find(found.hole, [sql, text, mode === 'query' ? given : undefined], 0);
  if (character === undefined) return;
  const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  throw new NotSent(
    new StormlampError(
      ErrorCode.UNSUPPORTED,
      `A statement was not sent, because the character set ${found.charset} of this connection cannot hold the character ` +
        `U+${code} in it, and another one would stand in its place; use utf8mb4, or send the value by execute()`,
      { node: connection.node },
    ),
  );
}

function holeOf(number: number): { readonly charset: string; readonly hole: RegExp } | undefined {
  if (known.has(number)) return known.get(number);
  const charset = charsetOf(number);
  const hole = charset === undefined ? undefined : HOLES[charset];
  const found = charset === undefined || hole === undefined ? undefined : { charset, hole };
  known.set(number, found);
  return found;
}

/** The driver follows `SET NAMES`. */
function numberOf(raw: Connection): number {
  return (raw as unknown as { readonly config: { readonly charsetNumber: number } }).config.charsetNumber;
}

function find(hole: RegExp, value: unknown, depth: number): string | undefined {
  if (typeof value === 'string') return hole.exec(value)?.[0];
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || depth > DEPTH_LIMIT)
    return undefined;
  for (const inside of Array.isArray(value) ? value : Object.entries(value).flat()) {
    const found = find(hole, inside, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
