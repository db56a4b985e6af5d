/** Lines of memcached's text protocol, read into commands. */
import { RELATIVE_EXPTIME_LIMIT } from '../memcached/exptime.js';
import type { GatewayRequest, ReaderLimits } from './gateway-request.js';
import type { ItemAnswer, ItemCommand, StoreHow } from './item-command.js';
import { MAX_KEYS_OF_LINE, NamedKeys, wordAt } from './named-keys.js';
import { NO_VERSION } from './named-version.js';
import {
  BAD_FORMAT,
  END,
  ERROR,
  otherAnswer,
  statsAnswer,
  storeAnswer,
  TOO_LARGE,
  TOO_LONG,
  valueAnswer,
} from './text-answers.js';
import { readKey } from './wire-key.js';

/** A line that announces a value, which follows. */
export interface StoreLine {
  readonly how: StoreHow | 'cas';
  readonly key: string;
  readonly flags: number;
  readonly exptime: number;
  readonly length: number;
  readonly cas: bigint;
  readonly quiet: boolean;
}

/** A line that announces a value which is not taken. */
export interface RefusedValue {
  /** What is answered; undefined for nothing. */
  readonly refusal: Buffer | undefined;
  /** The length of the value, which is thrown away unread: it would be taken for commands. */
  readonly length: number;
}

const UINT32_MAX = 0xffff_ffff;
const INT32_MAX = 0x7fff_ffff;
const UINT64_MAX = 0xffff_ffff_ffff_ffffn;
/** memcached's own bound for lengths: a signed number of 32 bit with room for the line end. */
const LENGTH_MAX = 0x7fff_fffd;
/** A date in 1970: memcached takes it for an item that has expired already, which is what it makes of negative times. */
const EXPIRED = RELATIVE_EXPTIME_LIMIT + 1;
const QUIET = 'noreply';
const STORES: ReadonlySet<string> = new Set(['set', 'add', 'replace', 'append', 'prepend', 'cas']);

const plain = (answer: Buffer | undefined): GatewayRequest => ({ kind: 'plain', answer });
const NO_FLUSH = Buffer.from('CLIENT_ERROR flush_all not allowed\r\n');
const BAD_EXPTIME = Buffer.from('CLIENT_ERROR invalid exptime argument\r\n');
const BAD_DELTA = Buffer.from('CLIENT_ERROR invalid numeric delta argument\r\n');
const BAD_DELETE = Buffer.from('CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n');
const OK = Buffer.from('OK\r\n');
const RESET = Buffer.from('RESET\r\n');
/** As memcached does: without an answer. */
const HTTP: GatewayRequest = { kind: 'end', answer: undefined, fault: 'a request of HTTP' };

/** Reads a line without its end. */
export function readTextLine(line: Buffer, limits: ReaderLimits): GatewayRequest | StoreLine | RefusedValue {
  const first = wordAt(line, 0);
  const name = first === undefined ? '' : line.toString('latin1', first.start, first.end);
  const behind = first?.end ?? 0;
  // These may be long, and are not cut into words before their turn comes.
  if (name === 'get' || name === 'gets') return getRequest(line, behind, name === 'gets', undefined);
  if (name === 'gat' || name === 'gats') return gatRequest(line, behind, name === 'gats');
  // latin1, so that every byte is one character.
  const words = line
    .toString('latin1')
    .split(' ')
    .filter((word) => word !== '');
  if (STORES.has(name)) return storeLine(name as StoreLine['how'], words, limits);
  switch (name) {
    case 'delete':
      return deleteRequest(words);
    case 'incr':
    case 'decr':
      return countRequest(words, name === 'decr');
    case 'touch':
      return touchRequest(words);
    case 'version':
      return plain(Buffer.from(`VERSION ${limits.version}\r\n`));
    case 'verbosity':
      return verbosityRequest(words);
    case 'flush_all':
      return plain(words.at(-1) === QUIET ? undefined : NO_FLUSH);
    case 'stats':
      // There is nothing to reset, but tools ask for it.
      if (words[1] === 'reset') return plain(RESET);
      return { kind: 'stats', group: words[1] ?? '', encode: statsAnswer };
    // The meta commands are not known here, and this one has a value behind it.
    case 'ms':
      return lostValue(ERROR);
    case 'quit':
      return { kind: 'end', answer: undefined, fault: undefined };
    default:
      return isHttp(name, words) ? HTTP : plain(ERROR);
  }
}

/**
 * Whether a line that is no command belongs to a request of HTTP, whose body would be read as commands: somebody has a browser, or a
 * server that fetches what it is told to, send it here.
 */
function isHttp(name: string, words: readonly string[]): boolean {
  // Methods that are not in capitals, as `delete`, are commands: what follows is not.
  return words.at(-1)?.startsWith('HTTP/') === true || /^host:/i.test(name);
}

/** The request of a store whose value is here. */
export function storeRequest(line: StoreLine, value: Buffer): GatewayRequest {
  const { how, key, flags, exptime, cas, quiet } = line;
  const command: ItemCommand = {
    op: 'store',
    how: how === 'cas' ? 'set' : how,
    key,
    value,
    flags,
    exptime,
    // Unlike in the binary protocol 0 does not mean any version here.
    cas: how === 'cas' && cas === 0n ? NO_VERSION : cas,
  };
  return one(command, quiet, (answer) => storeAnswer(answer, how));
}

function getRequest(
  line: Buffer,
  from: number,
  withCas: boolean,
  exptime: number | undefined,
): GatewayRequest {
  const keys = NamedKeys.read(line, from);
  if (keys === 'none') return plain(exptime === undefined ? ERROR : END);
  if (keys === 'malformed') return plain(BAD_FORMAT);
  if (keys === 'too many')
    return { kind: 'end', answer: TOO_LONG, fault: `a line of more than ${MAX_KEYS_OF_LINE} keys` };
  const encode = (answer: ItemAnswer, { key }: ItemCommand): Buffer | undefined =>
    valueAnswer(key, answer, withCas);
  return { kind: 'items', commands: new Commands(keys, exptime), encode, end: END };
}

/** Commands that are made when they are asked for. */
class Commands implements Iterable<ItemCommand> {
  readonly #keys: NamedKeys;
  readonly #exptime: number | undefined;

  constructor(keys: NamedKeys, exptime: number | undefined) {
    this.#keys = keys;
    this.#exptime = exptime;
  }

  *[Symbol.iterator](): Generator<ItemCommand> {
    const exptime = this.#exptime;
    for (const key of this.#keys)
      yield exptime === undefined ? { op: 'get', key } : { op: 'get-and-touch', key, exptime };
  }
}

function gatRequest(line: Buffer, from: number, withCas: boolean): GatewayRequest {
  const word = wordAt(line, from);
  if (word === undefined) return plain(ERROR);
  const exptime = exptimeOf(line.toString('latin1', word.start, word.end));
  return exptime === undefined ? plain(BAD_EXPTIME) : getRequest(line, word.end, withCas, exptime);
}

function storeLine(
  how: StoreLine['how'],
  words: readonly string[],
  { maxValueBytes }: ReaderLimits,
): StoreLine | RefusedValue | GatewayRequest {
  const numbers = how === 'cas' ? 6 : 5;
  if (words.length < numbers || words.length > numbers + 1) return lostValue(ERROR);
  const quiet = words.at(-1) === QUIET;
  const bad = quiet ? undefined : BAD_FORMAT;
  const flags = unsigned(words[2]);
  const exptime = exptimeOf(words[3]);
  const length = unsigned(words[4]);
  const cas = how === 'cas' ? casOf(words[5]) : 0n;
  if (flags === undefined || flags > UINT32_MAX || exptime === undefined || cas === undefined)
    return lostValue(bad);
  if (length === undefined || length > LENGTH_MAX) return lostValue(bad);
  const key = keyOf(words[1] ?? '');
  if (key === undefined) return { refusal: bad, length };
  if (length > maxValueBytes) return { refusal: quiet ? undefined : TOO_LARGE, length };
  return { how, key, flags, exptime, length, cas, quiet };
}

/**
 * Hangs up: where the value ends cannot be told from such a line, as of a key with a space or of an empty one. memcached reads the
 * value as commands (1.6.18), or what is left of it behind the number that stands in the place of its length (1.6.45).
 */
function lostValue(answer: Buffer | undefined): GatewayRequest {
  return { kind: 'end', answer, fault: 'a value without a valid line before it' };
}

function deleteRequest(words: readonly string[]): GatewayRequest {
  if (words.length < 2 || words.length > 4) return plain(ERROR);
  const quiet = words.at(-1) === QUIET && words.length > 2;
  const zero = words[2] === '0';
  // Ancient clients send a time of 0, which is all that was ever allowed there.
  if ((words.length === 3 && !zero && !quiet) || (words.length === 4 && !(zero && quiet)))
    return plain(quiet ? undefined : BAD_DELETE);
  return keyed(words[1], quiet, (key) => ({ op: 'delete', key, cas: 0n }));
}

function countRequest(words: readonly string[], down: boolean): GatewayRequest {
  if (words.length < 3 || words.length > 4) return plain(ERROR);
  const quiet = words[3] === QUIET;
  const delta = casOf(words[2]);
  if (delta === undefined && keyOf(words[1] ?? '') !== undefined) return plain(quiet ? undefined : BAD_DELTA);
  if (delta === undefined) return plain(quiet ? undefined : BAD_FORMAT);
  return keyed(words[1], quiet, (key) => ({ op: 'count', key, down, delta, create: undefined, cas: 0n }));
}

function touchRequest(words: readonly string[]): GatewayRequest {
  if (words.length < 3 || words.length > 4) return plain(ERROR);
  const quiet = words[3] === QUIET;
  const exptime = exptimeOf(words[2]);
  if (exptime === undefined && keyOf(words[1] ?? '') !== undefined)
    return plain(quiet ? undefined : BAD_EXPTIME);
  if (exptime === undefined) return plain(quiet ? undefined : BAD_FORMAT);
  return keyed(words[1], quiet, (key) => ({ op: 'touch', key, exptime }));
}

function verbosityRequest(words: readonly string[]): GatewayRequest {
  if (words.length < 2 || words.length > 4) return plain(ERROR);
  const quiet = words.at(-1) === QUIET;
  if (unsigned(words[1]) === undefined && !quiet) return plain(BAD_FORMAT);
  return plain(quiet ? undefined : OK);
}

function keyed(
  word: string | undefined,
  quiet: boolean,
  command: (key: string) => ItemCommand,
): GatewayRequest {
  const key = keyOf(word ?? '');
  return key === undefined ? plain(quiet ? undefined : BAD_FORMAT) : one(command(key), quiet, otherAnswer);
}

function one(command: ItemCommand, quiet: boolean, answerOf: (answer: ItemAnswer) => Buffer): GatewayRequest {
  const encode = (answer: ItemAnswer): Buffer | undefined => (quiet ? undefined : answerOf(answer));
  return { kind: 'items', commands: [command], encode, end: undefined };
}

const ASCII_KEY = /^[\x21-\x7e]{1,250}$/;

function keyOf(word: string): string | undefined {
  return ASCII_KEY.test(word) ? word : readKey(Buffer.from(word, 'latin1'));
}

function unsigned(word: string | undefined): number | undefined {
  return word !== undefined && /^\+?\d{1,15}$/.test(word) ? Number(word) : undefined;
}

function casOf(word: string | undefined): bigint | undefined {
  if (word === undefined || !/^\+?\d{1,20}$/.test(word)) return undefined;
  const value = BigInt(word.replace('+', ''));
  return value <= UINT64_MAX ? value : undefined;
}

function exptimeOf(word: string | undefined): number | undefined {
  if (word === undefined || !/^[-+]?\d{1,15}$/.test(word)) return undefined;
  const seconds = Number(word);
  // As memcached does, which reads a signed number of 32 bits.
  return seconds < 0 || seconds > INT32_MAX ? EXPIRED : seconds;
}
