/** Statements that are longer than the server takes: it would close the connection, as if it had died of them. */
import type { Connection } from 'mysql2';
import type { NodeId } from '../common/node-address.js';
import { charsetOf } from './connection-factory.js';

/** No encoding makes more bytes of one character of JavaScript. */
const BYTES_AT_MOST = 4;

/** The command, and with attributes of queries two more bytes, stand before the text. */
const HEAD_BYTES = 3;

/** Character sets that Node knows by another name. */
const ONE_BYTE: ReadonlySet<string | undefined> = new Set(['latin1', 'ascii', 'binary']);

/** Character sets whose characters may be longer than in utf8mb4, by up to two bytes each. */
const LONGER: Readonly<Record<string, RegExp>> = { utf8: /[\ud800-\udbff]/g, gb18030: /[^\0-\x7f]/g };

const UNSENT = new WeakSet<object>();

/** Whether `error` is of a statement that was not sent because of its length. */
export function wasTooLong(error: unknown): boolean {
  return typeof error === 'object' && error !== null && UNSENT.has(error);
}

/**
 * Refuses a text, as it would be sent, that has as many bytes as the session behind `raw` does not take any more.
 *
 * @throws Error the server's own for it, 1153.
 */
export function refuseLongText(raw: Connection, node: NodeId, limit: number, text: string): void {
  // Short ones, nearly all, are not counted.
  if (text.length * BYTES_AT_MOST + HEAD_BYTES < limit) return;
  const driver = raw as unknown as Driver;
  const bytes = headOf(driver) + bytesOf(text, charsetOf(driver.config.charsetNumber));
  if (bytes >= limit) throw tooLong(node, limit, bytes);
}

/**
 * Refuses the packet of an execution that is too long.
 *
 * @throws Error the server's own for it, 1153.
 */
export function refuseLongPacket(node: NodeId, limit: number, bytes: number): void {
  if (bytes >= limit) throw tooLong(node, limit, bytes);
}

function tooLong(node: NodeId, limit: number, bytes: number): Error {
  const message =
    `The statement was not sent: it has ${bytes} bytes, and node ${node} takes ${limit} (max_allowed_packet). ` +
    'Send less at once, or raise max_allowed_packet on all servers';
  const details = { code: 'ER_NET_PACKET_TOO_LARGE', errno: 1153, sqlState: '08S01', node };
  const error = Object.assign(new Error(message), details);
  UNSENT.add(error);
  return error;
}

/** Exact for the usual ones, else rather too many than too few. */
function bytesOf(text: string, charset: string | undefined): number {
  if (ONE_BYTE.has(charset)) return text.length;
  const longer = charset === undefined ? undefined : LONGER[charset];
  return Buffer.byteLength(text) + (longer === undefined ? 0 : 2 * (text.match(longer)?.length ?? 0));
}

interface Driver {
  readonly config: { readonly clientFlags: number; readonly charsetNumber: number };
  readonly serverCapabilityFlags?: number;
}

const CLIENT_QUERY_ATTRIBUTES = 1 << 27;

function headOf({ config, serverCapabilityFlags }: Driver): number {
  return config.clientFlags & (serverCapabilityFlags ?? 0) & CLIENT_QUERY_ATTRIBUTES ? HEAD_BYTES : 1;
}
