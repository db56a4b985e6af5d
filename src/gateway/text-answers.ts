/** Answers of the text protocol. */
import type { ItemAnswer, StoreHow } from './item-command.js';

const STORED: Buffer = Buffer.from('STORED\r\n');
const NOT_STORED: Buffer = Buffer.from('NOT_STORED\r\n');
const EXISTS: Buffer = Buffer.from('EXISTS\r\n');
const NOT_FOUND: Buffer = Buffer.from('NOT_FOUND\r\n');
const DELETED: Buffer = Buffer.from('DELETED\r\n');
const TOUCHED: Buffer = Buffer.from('TOUCHED\r\n');
/** The value has more bytes than an item may have. */
export const TOO_LARGE: Buffer = Buffer.from('SERVER_ERROR object too large for cache\r\n');
const NOT_A_NUMBER: Buffer = Buffer.from('CLIENT_ERROR cannot increment or decrement non-numeric value\r\n');
/** Nobody knows such a command, or not with so many words. */
export const ERROR: Buffer = Buffer.from('ERROR\r\n');
/** A word of the command is impossible. */
export const BAD_FORMAT: Buffer = Buffer.from('CLIENT_ERROR bad command line format\r\n');
/** No request is so long; the connection is closed. */
export const TOO_LONG: Buffer = Buffer.from('CLIENT_ERROR line too long\r\n');
/** After the last item. */
export const END: Buffer = Buffer.from('END\r\n');

/** The answer to a store. */
export function storeAnswer(answer: ItemAnswer, how: StoreHow | 'cas'): Buffer {
  switch (answer.status) {
    case 'stored':
      return STORED;
    case 'exists':
      return how === 'cas' ? EXISTS : NOT_STORED;
    case 'not-found':
      return how === 'cas' ? NOT_FOUND : NOT_STORED;
    default:
      return otherAnswer(answer);
  }
}

/** The part of an answer to `get` or `gets` that is about one key; nothing for a miss. */
export function valueAnswer(key: string, answer: ItemAnswer, withCas: boolean): Buffer | undefined {
  if (answer.status === 'not-found') return undefined;
  if (answer.status !== 'hit') return otherAnswer(answer);
  const { value, flags, cas } = answer.item;
  const head = `VALUE ${key} ${flags} ${value.length}${withCas ? ` ${cas}` : ''}\r\n`;
  const headBytes = Buffer.byteLength(head);
  const bytes = Buffer.allocUnsafe(headBytes + value.length + 2);
  bytes.write(head, 0, 'utf8');
  value.copy(bytes, headBytes);
  bytes[headBytes + value.length] = 0x0d;
  bytes[headBytes + value.length + 1] = 0x0a;
  return bytes;
}

/** The answer to anything else. */
export function otherAnswer(answer: ItemAnswer): Buffer {
  switch (answer.status) {
    case 'deleted':
      return DELETED;
    case 'touched':
      return TOUCHED;
    case 'counted':
      return Buffer.from(`${answer.value}\r\n`);
    case 'not-found':
      return NOT_FOUND;
    case 'not-a-number':
      return NOT_A_NUMBER;
    case 'too-large':
      return TOO_LARGE;
    case 'invalid':
      return BAD_FORMAT;
    case 'failed':
      return Buffer.from(`SERVER_ERROR ${oneLine(answer.message)}\r\n`);
    default:
      return Buffer.from(`SERVER_ERROR unexpected answer ${answer.status}\r\n`);
  }
}

/** The gateway's figures; undefined: no such group. */
export function statsAnswer(figures: ReadonlyMap<string, string> | undefined): Buffer {
  if (figures === undefined) return ERROR;
  const lines = Array.from(figures, ([name, value]) => `STAT ${name} ${oneLine(value)}\r\n`);
  return Buffer.from(`${lines.join('')}END\r\n`);
}

/** A message that cannot be taken for more than one line; clients keep but the first few hundred characters. */
export function oneLine(message: string): string {
  const text = message.replace(/[^\x20-\x7e]+/g, ' ');
  return text.length > 400 ? `${text.slice(0, 397)}...` : text;
}
