/** Statements that do nothing but take or release one named lock: only for those can the lock be told. */
import { target } from './answer.js';
import type { PinTarget } from './classification.js';
import type { StatementCursor } from './statement-cursor.js';
import { Token } from './statement-lexer.js';

/**
 * The lock of `SELECT f('name'[, seconds]) [[AS] alias]` or `DO f(…)`; `undefined` for any other shape. For
 * `release_all_locks` the name is absent: all of them.
 */
export function lockTarget(
  cursor: StatementCursor,
  name: 'get_lock' | 'release_lock' | 'release_all_locks',
): PinTarget | undefined {
  if (cursor.takeOne('select', 'do') === undefined) return undefined;
  if (!cursor.take(name) || !cursor.takeSign('(')) return undefined;
  let lock: string | undefined;
  if (name !== 'release_all_locks') {
    if (cursor.kind !== Token.STRING) return undefined;
    lock = cursor.name?.toLowerCase();
    if (lock === undefined) return undefined;
    cursor.advance();
  }
  if (name === 'get_lock') {
    if (!cursor.takeSign(',')) return undefined;
    cursor.takeSign('-');
    if (cursor.kind !== Token.NUMBER && cursor.sign !== '?') return undefined;
    cursor.advance();
  }
  if (!cursor.takeSign(')')) return undefined;
  if (cursor.take('as')) cursor.advance();
  else if (cursor.kind === Token.WORD || cursor.kind === Token.NAME) cursor.advance();
  return cursor.isAtEnd ? target('named-lock', lock) : undefined;
}
