/** Whole sessions, for those who do not need to change single variables. */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { serializeIgbinary } from './igbinary.js';
import { OrderedMap, type PhpKey } from './ordered-map.js';
import { PhpArray } from './php-array.js';
import { type PhpLimits, resolvePhpLimits } from './php-limits.js';
import { serialize } from './serialize.js';
import { SessionDocument } from './session-document.js';
import {
  checkSessionHandler,
  refuseIntegerName,
  type SessionHandler,
  variableHead,
} from './session-handler.js';
import { ValueWriter } from './value-writer.js';

/**
 * Writes `$_SESSION` as PHP does with `session.serialize_handler` set to `handler`.
 *
 * @throws StormlampError `ERR_PHP_VALUE` for a value that PHP does not have, and for a name with which PHP would lose
 * the variable or the session: one with `|` (`php`), one that is an integer (all but `php_serialize`), one of more than
 * 127 bytes (`php_binary`). `ERR_PHP_LIMIT` beyond `limits`.
 */
export function encodeSession(
  data: Readonly<Record<string, unknown>> | OrderedMap,
  handler: SessionHandler,
  limits?: PhpLimits,
): Buffer {
  const format = checkSessionHandler(handler);
  if (format === 'php_serialize') {
    return serialize(data instanceof OrderedMap ? new PhpArray(data) : { ...data }, limits);
  }
  if (format === 'igbinary') {
    const session = new OrderedMap();
    for (const [name, value] of entriesOf(data)) {
      refuseIntegerName(name, format);
      if (value !== undefined) session.set(name, value);
    }
    return serializeIgbinary(session, limits);
  }
  const writer = new ValueWriter(resolvePhpLimits(limits));
  for (const [name, value] of entriesOf(data)) {
    if (value === undefined) continue;
    writer.writeBytes(variableHead(name, format));
    writer.write(value);
  }
  return writer.toBuffer();
}

/**
 * Reads `$_SESSION` as PHP does with `session.serialize_handler` set to `handler`; values are those of
 * {@link unserialize}. An array that an igbinary session shares between places is one JavaScript array: copy it before
 * you change it, or work with a {@link SessionView}.
 *
 * @throws StormlampError `ERR_PHP_SYNTAX` where PHP could not decode it (and would delete the session),
 * `ERR_PHP_LIMIT` beyond `limits`, `ERR_PHP_VALUE` for a variable whose name is not UTF-8, which the object could not hold:
 * {@link SessionDocument} and {@link SessionView} read such a session, and keep that variable.
 */
export function decodeSession(
  data: Uint8Array | string,
  handler: SessionHandler,
  limits?: PhpLimits,
): Record<string, unknown> {
  const document = SessionDocument.decode(data, handler, limits);
  const [unnamed] = document.byteKeys;
  if (unnamed === undefined) return document.toObject();
  const shown = unnamed.toString('latin1');
  throw new StormlampError(
    ErrorCode.PHP_VALUE,
    `The session variable \`${shown.length > 80 ? `${shown.slice(0, 77)}...` : shown}\` has a name that is not UTF-8, which an object cannot hold; read the session with SessionDocument.decode, which keeps the variable when others are changed`,
  );
}

function entriesOf(
  data: Readonly<Record<string, unknown>> | OrderedMap,
): Iterable<readonly [PhpKey, unknown]> {
  return data instanceof OrderedMap ? data : Object.entries(data);
}
