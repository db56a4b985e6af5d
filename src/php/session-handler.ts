/** The formats in which PHP keeps `$_SESSION`, and what each demands of a variable's name. */
import { readChoice } from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { isWellFormed } from '../common/well-formed.js';
import { integerOfKey } from './integer-key.js';
import type { PhpKey } from './ordered-map.js';

/** A value of PHP's setting `session.serialize_handler`. */
export type SessionHandler = 'php' | 'php_serialize' | 'php_binary' | 'igbinary';

/** All handlers, PHP's default first. */
export const SESSION_HANDLERS: readonly SessionHandler[] = ['php', 'php_serialize', 'php_binary', 'igbinary'];

/** The longest name that `php_binary` can hold, in bytes. */
const MAX_BINARY_NAME = 127;

/**
 * Checks the name of a handler.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function checkSessionHandler(handler: unknown): SessionHandler {
  return readChoice('handler', handler, SESSION_HANDLERS, 'php');
}

/**
 * The bytes that stand before the value of a variable.
 *
 * @throws StormlampError `ERR_PHP_VALUE` for a name with which PHP would lose the variable, or the whole session.
 */
export function variableHead(name: PhpKey, handler: Exclude<SessionHandler, 'igbinary'>): Buffer {
  if (handler === 'php_serialize') {
    const integer =
      typeof name === 'string' ? integerOfKey(name) : typeof name === 'object' ? undefined : name;
    if (integer !== undefined) return Buffer.from(`i:${integer};`);
    const bytes = toBytes(name);
    return Buffer.concat([Buffer.from(`s:${bytes.length}:"`), bytes, Buffer.from('";')]);
  }
  const bytes = toBytes(name);
  if (typeof name !== 'object' && integerOfKey(String(name)) !== undefined) {
    throw unusable(
      name,
      `PHP drops variables whose name is an integer from sessions of the ${handler} format`,
    );
  }
  if (handler === 'php') {
    if (bytes.includes('|')) {
      throw unusable(name, 'PHP empties a session of the php format when a name contains `|`');
    }
    return Buffer.concat([bytes, Buffer.from('|')]);
  }
  if (bytes.length > MAX_BINARY_NAME) {
    throw unusable(name, `names in the php_binary format have at most ${MAX_BINARY_NAME} bytes`);
  }
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

/**
 * Refuses a name that PHP would turn into an integer, and the variable with it into nothing.
 *
 * @throws StormlampError `ERR_PHP_VALUE`.
 */
export function refuseIntegerName(name: PhpKey, handler: SessionHandler): void {
  if (typeof name === 'object' || integerOfKey(String(name)) === undefined) return;
  throw unusable(name, `PHP drops variables whose name is an integer from sessions of the ${handler} format`);
}

/**
 * Checks the name of a variable.
 *
 * @throws StormlampError `ERR_PHP_VALUE` for a name with which PHP would lose the variable, or the whole session.
 */
export function checkVariableName(name: string, handler: SessionHandler): void {
  if (handler !== 'igbinary') {
    variableHead(name, handler);
    return;
  }
  refuseIntegerName(name, handler);
  toBytes(name);
}

function toBytes(name: PhpKey): Buffer {
  if (typeof name === 'object') return name;
  const text = String(name);
  if (!isWellFormed(text)) throw unusable(name, 'it holds half of a surrogate pair, which is no text in PHP');
  return Buffer.from(text, 'utf8');
}

function unusable(name: PhpKey, why: string): StormlampError {
  const shown = String(name);
  const short = shown.length > 80 ? `${shown.slice(0, 77)}...` : shown;
  return new StormlampError(
    ErrorCode.PHP_VALUE,
    `The session variable \`${short}\` cannot be stored: ${why}; choose another name`,
  );
}
