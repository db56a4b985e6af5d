/** Statements that are longer than the server takes: it would close the connection, as if it had died of them. */
import type { Deadline } from '../common/deadline.js';
import type { PhysicalConnection } from './physical-connection.js';
import { NotSent } from './send-statement.js';
import type { Statement } from './statement.js';

/** From so many bytes on a connection is asked once what it takes; hardly a server takes less. */
const ASKED_FROM = 65_536;

/** Deeper nesting than any value has. */
const DEPTH_LIMIT = 8;

/** Escaping makes a text longer, at most so many times as far as texts matter. */
const GROWTH = 4;

/**
 * Checks a long statement against what the session on `connection` takes; undefined when there is nothing to ask.
 *
 * Rejects with {@link NotSent} and the error that the server has for it (1153) when it is too long.
 */
export function checkPacket(
  connection: PhysicalConnection,
  statement: Statement,
  deadline: Deadline,
): Promise<void> | undefined {
  const bytes = roughBytes(statement);
  if (bytes < ASKED_FROM || bytes * GROWTH < (connection.maxPacket ?? 0)) return undefined;
  return check(connection, statement, deadline);
}

async function check(
  connection: PhysicalConnection,
  statement: Statement,
  deadline: Deadline,
): Promise<void> {
  if (connection.maxPacket === undefined) {
    const [row] = await connection.ask('SELECT @@max_allowed_packet AS bytes', deadline);
    connection.maxPacket = Number(row?.['bytes']);
  }
  const { maxPacket, node } = connection;
  if (roughBytes(statement) * GROWTH < maxPacket) return;
  const bytes = exactBytes(connection, statement);
  if (!(bytes >= maxPacket)) return;
  const message =
    `The statement was not sent: it has ${bytes} bytes, and node ${node} takes ${maxPacket} (max_allowed_packet). ` +
    'Send less at once, or raise max_allowed_packet on all servers';
  const details = { code: 'ER_NET_PACKET_TOO_LARGE', errno: 1153, sqlState: '08S01', node };
  throw new NotSent(Object.assign(new Error(message), details));
}

function partsOf({ form, values }: Statement): { readonly text: string; readonly given: unknown } {
  return typeof form === 'string'
    ? { text: form, given: values }
    : { text: form.sql, given: values ?? form.values };
}

function roughBytes(statement: Statement): number {
  const { text, given } = partsOf(statement);
  return given === undefined ? text.length : text.length + bytesOf(given, statement.mode, 0);
}

/** What the driver sends: the text with its values in it, or the larger one of text and values. */
function exactBytes({ raw }: PhysicalConnection, statement: Statement): number {
  const { text, given } = partsOf(statement);
  if (statement.mode === 'execute') return Math.max(Buffer.byteLength(text), bytesOf(given, 'execute', 0));
  const { format } = raw as unknown as Formatting;
  const named = typeof statement.form === 'string' ? undefined : statement.form.namedPlaceholders;
  return 1 + Buffer.byteLength(given === undefined ? text : format.call(raw, text, given, named));
}

interface Formatting {
  format(sql: string, values: unknown, namedPlaceholders: boolean | undefined): string;
}

function bytesOf(value: unknown, mode: Statement['mode'], depth: number): number {
  if (typeof value === 'string') return value.length > 255 ? Buffer.byteLength(value) : value.length;
  if (typeof value !== 'object' || value === null || value instanceof Date) return 1;
  // As text, bytes are written in hexadecimal.
  if (ArrayBuffer.isView(value)) return mode === 'query' ? value.byteLength * 2 : value.byteLength;
  if (depth > DEPTH_LIMIT) return 1;
  let bytes = 0;
  for (const inside of Array.isArray(value) ? value : Object.values(value))
    bytes += bytesOf(inside, mode, depth + 1);
  return bytes;
}
