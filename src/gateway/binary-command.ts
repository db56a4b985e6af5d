/** Requests of memcached's binary protocol, read into commands, by memcached's own rules for what is malformed. */
import {
  type BinaryOrigin,
  BinaryStatus,
  binaryAnswer,
  binaryError,
  binaryItem,
  binaryStats,
} from './binary-answers.js';
import type { GatewayRequest, ReaderLimits } from './gateway-request.js';
import type { ItemAnswer, ItemCommand, StoreHow } from './item-command.js';
import { oneLine } from './text-answers.js';
import { KEY_LIMIT, readKey } from './wire-key.js';

/** A request whose lengths add up, and whose body is here. */
export interface BinaryRequest extends BinaryOrigin {
  /** The version that the client wants to meet; 0 for any. */
  readonly cas: bigint;
  /** The command's own fields. */
  readonly extras: Buffer;
  /** The key's bytes. */
  readonly key: Buffer;
  /** The value. */
  readonly value: Buffer;
}

type Shape = { readonly name: string; readonly quiet: boolean; readonly keyed: boolean };
const shape = (name: string, ...marks: ('quiet' | 'keyed')[]): Shape => ({
  name,
  quiet: marks.includes('quiet'),
  keyed: marks.includes('keyed'),
});

/** The commands of the binary protocol that the gateway has. */
const COMMANDS: Readonly<Record<number, Shape>> = {
  0: shape('get'),
  1: shape('set'),
  2: shape('add'),
  3: shape('replace'),
  4: shape('delete'),
  5: shape('increment'),
  6: shape('decrement'),
  7: shape('quit'),
  8: shape('flush'),
  9: shape('get', 'quiet'),
  10: shape('noop'),
  11: shape('version'),
  12: shape('get', 'keyed'),
  13: shape('get', 'quiet', 'keyed'),
  14: shape('append'),
  15: shape('prepend'),
  16: shape('stats'),
  17: shape('set', 'quiet'),
  18: shape('add', 'quiet'),
  19: shape('replace', 'quiet'),
  20: shape('delete', 'quiet'),
  21: shape('increment', 'quiet'),
  22: shape('decrement', 'quiet'),
  23: shape('quit', 'quiet'),
  24: shape('flush', 'quiet'),
  25: shape('append', 'quiet'),
  26: shape('prepend', 'quiet'),
  28: shape('touch'),
  29: shape('gat'),
  30: shape('gat', 'quiet'),
  32: shape('mechanisms'),
  33: shape('login'),
  34: shape('login-step'),
  35: shape('gat', 'keyed'),
  36: shape('gat', 'quiet', 'keyed'),
};
const OPEN_BEFORE_LOGIN: ReadonlySet<string> = new Set(['mechanisms', 'login', 'login-step', 'version']);
const VALUE_COMMANDS: ReadonlySet<string> = new Set(['set', 'add', 'replace', 'append', 'prepend']);
const NOT_CREATED = 0xffff_ffff;
/** What commands on items have besides their key. memcached does not look at what follows the key of `touch` and `gat`. */
const FIELDS: Readonly<Record<string, { readonly extras: number; readonly value: boolean }>> = {
  set: { extras: 8, value: true },
  add: { extras: 8, value: true },
  replace: { extras: 8, value: true },
  append: { extras: 0, value: true },
  prepend: { extras: 0, value: true },
  increment: { extras: 20, value: false },
  decrement: { extras: 20, value: false },
  touch: { extras: 4, value: true },
  gat: { extras: 4, value: true },
};

/** Whether a command carries a value that may be as large as an item. */
export function carriesValue(opcode: number): boolean {
  return VALUE_COMMANDS.has(COMMANDS[opcode]?.name ?? '');
}

/** Whether a command may come before the login. */
export function allowedBeforeLogin(opcode: number): boolean {
  return OPEN_BEFORE_LOGIN.has(COMMANDS[opcode]?.name ?? '');
}

/** Reads a request. A malformed one is answered and ends the connection, as with memcached. */
export function readBinaryRequest(request: BinaryRequest, limits: ReaderLimits): GatewayRequest {
  const command = COMMANDS[request.opcode];
  const { extras, value } = request;
  const keyBytes = request.key.length;
  const bare = keyBytes === 0 && extras.length === 0 && value.length === 0;
  if (keyBytes > KEY_LIMIT) return malformed(request, 'a key of more than 250 bytes');
  if (command === undefined) return plain(binaryError(request, BinaryStatus.UNKNOWN_COMMAND));
  switch (command.name) {
    case 'version':
      return bare
        ? plain(binaryAnswer(request, BinaryStatus.OK, { value: Buffer.from(limits.version) }))
        : malformed(request);
    case 'noop':
      return bare ? plain(binaryAnswer(request, BinaryStatus.OK, {})) : malformed(request);
    case 'quit': {
      if (!bare) return malformed(request);
      const answer = command.quiet ? undefined : binaryAnswer(request, BinaryStatus.OK, {});
      return { kind: 'end', answer, fault: undefined };
    }
    case 'flush':
      // What memcached answers when it was told to refuse it (-F).
      return keyBytes === 0 && value.length === 0 && (extras.length === 0 || extras.length === 4)
        ? plain(binaryError(request, BinaryStatus.AUTH_ERROR))
        : malformed(request);
    case 'stats':
      return statsRequest(request);
    case 'mechanisms':
      if (!bare) return malformed(request);
      return plain(
        limits.login
          ? binaryAnswer(request, BinaryStatus.OK, { value: Buffer.from('PLAIN') })
          : binaryError(request, BinaryStatus.UNKNOWN_COMMAND),
      );
    case 'login':
    case 'login-step':
      return loginRequest(request, command.name ?? '', limits);
    default:
      return itemRequest(request, command);
  }
}

function itemRequest(request: BinaryRequest, { name, quiet, keyed }: Shape): GatewayRequest {
  const { extras, value } = request;
  const fields = FIELDS[name] ?? { extras: 0, value: false };
  if (request.key.length === 0 || extras.length !== fields.extras) return malformed(request);
  if (value.length > 0 && !fields.value) return malformed(request);
  const key = readKey(request.key);
  // memcached takes such keys in this protocol only; its text clients could never name them.
  if (key === undefined) return plain(binaryError(request, BinaryStatus.INVALID));
  const { opcode, opaque } = request;
  const command = itemCommand(request, name, key);
  const answerKey = keyed ? request.key : undefined;
  const encode = (answer: ItemAnswer): Buffer | undefined =>
    encodeAnswer({ opcode, opaque }, command, answer, quiet, answerKey);
  return { kind: 'items', commands: [command], encode, end: undefined };
}

function itemCommand({ extras, value, cas }: BinaryRequest, name: string, key: string): ItemCommand {
  switch (name) {
    case 'get':
      return { op: 'get', key };
    case 'gat':
      return { op: 'get-and-touch', key, exptime: extras.readUInt32BE(0) };
    case 'touch':
      return { op: 'touch', key, exptime: extras.readUInt32BE(0) };
    case 'delete':
      return { op: 'delete', key, cas };
    case 'increment':
    case 'decrement': {
      const exptime = extras.readUInt32BE(16);
      const create = exptime === NOT_CREATED ? undefined : { initial: extras.readBigUInt64BE(8), exptime };
      return { op: 'count', key, down: name === 'decrement', delta: extras.readBigUInt64BE(0), create, cas };
    }
    case 'append':
    case 'prepend':
      return { op: 'store', how: name, key, value, flags: 0, exptime: 0, cas };
    default: {
      // With a version to meet, memcached takes all three for a compare-and-set.
      const how = cas === 0n ? (name as StoreHow) : 'set';
      return {
        op: 'store',
        how,
        key,
        value,
        flags: extras.readUInt32BE(0),
        exptime: extras.readUInt32BE(4),
        cas,
      };
    }
  }
}

function encodeAnswer(
  origin: BinaryOrigin,
  command: ItemCommand,
  answer: ItemAnswer,
  quiet: boolean,
  key: Buffer | undefined,
): Buffer | undefined {
  switch (answer.status) {
    case 'hit':
      return binaryItem(origin, answer, key);
    case 'stored':
      return quiet ? undefined : binaryAnswer(origin, BinaryStatus.OK, { cas: answer.cas });
    case 'deleted':
      return quiet ? undefined : binaryAnswer(origin, BinaryStatus.OK, {});
    case 'touched':
      return binaryAnswer(origin, BinaryStatus.OK, { extras: Buffer.alloc(4) });
    case 'counted': {
      if (quiet) return undefined;
      const value = Buffer.allocUnsafe(8);
      value.writeBigUInt64BE(answer.value, 0);
      return binaryAnswer(origin, BinaryStatus.OK, { value, cas: answer.cas });
    }
    case 'not-found':
      return notFound(origin, command, quiet, key);
    case 'exists':
      return binaryError(origin, BinaryStatus.EXISTS);
    case 'not-a-number':
      return binaryError(origin, BinaryStatus.NOT_A_NUMBER);
    case 'too-large':
      return binaryError(origin, BinaryStatus.TOO_LARGE);
    case 'invalid':
      return binaryError(origin, BinaryStatus.INVALID);
    case 'failed':
      return binaryError(origin, BinaryStatus.TEMPORARY_FAILURE, oneLine(answer.message));
    default:
      return answer satisfies never;
  }
}

function notFound(
  origin: BinaryOrigin,
  command: ItemCommand,
  quiet: boolean,
  key: Buffer | undefined,
): Buffer | undefined {
  if (command.op === 'get' || command.op === 'get-and-touch') {
    if (quiet) return undefined;
    if (key !== undefined) return binaryAnswer(origin, BinaryStatus.NOT_FOUND, { key });
  }
  const appended = command.op === 'store' && (command.how === 'append' || command.how === 'prepend');
  return binaryError(origin, appended ? BinaryStatus.NOT_STORED : BinaryStatus.NOT_FOUND);
}

function statsRequest(request: BinaryRequest): GatewayRequest {
  if (request.extras.length !== 0) return malformed(request);
  const { opcode, opaque } = request;
  const group = request.key.toString('latin1');
  const end = binaryAnswer({ opcode, opaque }, BinaryStatus.OK, {});
  if (group === 'reset') return plain(end);
  return { kind: 'stats', group, encode: (figures) => binaryStats({ opcode, opaque }, figures) };
}

function loginRequest(request: BinaryRequest, name: string, limits: ReaderLimits): GatewayRequest {
  if (request.extras.length !== 0 || request.key.length === 0) return malformed(request);
  if (!limits.login) return plain(binaryError(request, BinaryStatus.UNKNOWN_COMMAND));
  const refusal = binaryError(request, BinaryStatus.AUTH_ERROR);
  const refused: GatewayRequest = { kind: 'end', answer: refusal, fault: 'a login that is not SASL PLAIN' };
  if (name !== 'login' || request.key.toString('latin1') !== 'PLAIN') return refused;
  // authorization id NUL user NUL password
  const parts = request.value.toString('utf8').split('\0');
  const [, username, password] = parts;
  if (parts.length !== 3 || username === undefined || password === undefined) return refused;
  const accepted = binaryAnswer(request, BinaryStatus.OK, { value: Buffer.from('Authenticated') });
  return { kind: 'login', username, password, encode: (right) => (right ? accepted : refusal) };
}

function plain(answer: Buffer): GatewayRequest {
  return { kind: 'plain', answer };
}

function malformed(request: BinaryRequest, what = 'a malformed request'): GatewayRequest {
  return { kind: 'end', answer: binaryError(request, BinaryStatus.INVALID), fault: what };
}
