/**
 * Characters that the driver makes other characters of: what looks like a letter here would end a string there. It cuts
 * those that one byte cannot hold down to their last byte, and the Japanese sets have a backslash in the place of the yen.
 */
import type { Connection } from 'mysql2';
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { charsetOf } from './connection-factory.js';

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

interface Hole {
  readonly charset: string;
  readonly hole: RegExp;
}

/** What connections with a number of a collation cannot send; undefined for all that is well. */
const known = new Map<number, Hole | undefined>();

/**
 * Refuses a text, as it would be sent, with characters that would become other ones on their way over `raw`.
 *
 * @throws StormlampError `ERR_UNSUPPORTED` naming the character.
 */
export function refuseHoles(raw: Connection, node: NodeId, text: string): void {
  const found = holeOf(numberOf(raw));
  const character = found?.hole.exec(text)?.[0];
  if (found === undefined || character === undefined) return;
  const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  throw new StormlampError(
    ErrorCode.UNSUPPORTED,
    `A statement was not sent, because the character set ${found.charset} of this connection cannot hold the character ` +
      `U+${code} in it, and another one would stand in its place; use utf8mb4, or send the value by execute()`,
    { node },
  );
}

function holeOf(number: number): Hole | undefined {
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
