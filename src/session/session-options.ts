/** Options of the session store, their defaults and their checks. */
import { type NodeAddress, nodeIdOf, parseNodeAddress } from '../common/node-address.js';
import {
  invalidOption,
  readBoolean,
  readChoice,
  readNumber,
  readString,
  readStrings,
  rejectUnknownOptions,
} from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { SessionHandler } from '../php/session-handler.js';
import { withPhpIni } from './php-ini.js';
import {
  DEFAULT_SESSION_COOKIE,
  type ResolvedSessionCookie,
  type SessionCookieOptions,
} from './session-cookie.js';
import type { SessionIdFormat } from './session-id.js';
import type { ConflictDecision, VariableConflict } from './session-merge.js';

/** How ids are made and accepted. */
export interface SessionIdOptions {
  /** Ids that are let in; the default takes all that PHP could have made. */
  readonly accept?: RegExp;
  /** Characters of a new id, PHP's `session.sid_length`. */
  readonly length?: number;
  /** Bits per character of a new id, PHP's `session.sid_bits_per_character`. */
  readonly bitsPerCharacter?: 4 | 5 | 6;
}

/** How keys are spread over nodes; PHP's settings of the same meaning must be followed exactly. */
export interface SessionPlacementOptions {
  /** php-memcached: `memcached.sess_consistent_hash_type`, or `'modula'` when `memcached.sess_consistent_hash` is off. */
  readonly distribution?: 'ketama' | 'ketama_weighted' | 'modula';
  /** pecl-memcache: `memcache.hash_strategy`. */
  readonly strategy?: 'consistent' | 'standard';
  /** pecl-memcache: `memcache.hash_function`. */
  readonly hash?: 'crc32' | 'fnv';
  /** Weights of the nodes, in their order; 1 each when left out. */
  readonly weights?: readonly number[];
}

/** How the session store finds, reads and writes PHP's sessions. */
export interface SessionOptions {
  /** The memcached nodes as `host:port`, in the order and with the very host text of PHP's `session.save_path`. */
  readonly nodes?: readonly string[];
  /**
   * PHP's own configuration instead: the path of a php.ini (a `conf.d` beside it is read, too), of a file with the
   * output of `php -i`, or a list of files and folders. Options that are given beside it win.
   */
  readonly phpIni?: string | readonly string[];
  /** How many nodes hold each session: PHP's `memcached.sess_number_of_replicas` + 1, or `memcache.session_redundancy`. */
  readonly copies?: number;
  /** How many copies must have taken a save before it is acknowledged. */
  readonly acks?: 'one' | 'majority' | 'all';
  /** PHP's `session.save_handler`. */
  readonly handler?: 'memcached' | 'memcache';
  /** PHP's `session.serialize_handler`. */
  readonly serialize?: SessionHandler;
  /** How keys are spread over the nodes. */
  readonly placement?: SessionPlacementOptions;
  /** SASL user name, `memcached.sess_sasl_username`. */
  readonly username?: string;
  /** SASL password, `memcached.sess_sasl_password`. */
  readonly password?: string;
  /** Key prefix: `memcached.sess_prefix`, or `memcache.session_prefix_static_key`. */
  readonly prefix?: string;
  /** Life of an unused session in milliseconds, PHP's `session.gc_maxlifetime` × 1000. */
  readonly lifetimeMs?: number;
  /**
   * How requests that use one session at the same time meet. `'merge'` takes PHP's lock only for the moment of a save, and
   * merges variable by variable; `'lock'` holds it from load to save, as PHP does, so that they run one after the other;
   * `'last-write-wins'` overwrites without it.
   */
  readonly conflict?: 'merge' | 'lock' | 'last-write-wins';
  /** Decides when two requests changed the same variable; by default the later save wins. */
  readonly onConflict?: (conflict: VariableConflict) => ConflictDecision;
  /** What a save does with a session that existed at load and is gone now. */
  readonly onGone?: 'drop' | 'recreate';
  /** What a request gets when no node can be reached: an error, or an empty session that is not saved. */
  readonly onStoreDown?: 'error' | 'anonymous';
  /** Attributes of the cookie. */
  readonly cookie?: SessionCookieOptions;
  /** How ids are made and accepted. */
  readonly ids?: SessionIdOptions;
  /** How long a save waits for the session lock, in milliseconds. */
  readonly lockWaitMs?: number;
  /**
   * How long one and the same lock must have been seen before it counts as left behind by a killed PHP process and is
   * removed, in milliseconds; 0 removes none. PHP's own locks expire after `memcached.sess_lock_expire`, else after
   * `max_execution_time`; only where both are 0, as on the command line by default, do they last for ever. It must be
   * longer than any script may keep a session open. The default is twice PHP's default `max_execution_time`.
   */
  readonly lockBreakMs?: number;
  /** Deadline of one memcached operation, in milliseconds. */
  readonly operationTimeoutMs?: number;
  /** How often each node is looked at, in milliseconds. */
  readonly monitorIntervalMs?: number;
}

/** The session options with every default filled in. */
export interface ResolvedSessionOptions {
  /** Nodes with what placement hashes: the host as it was written, and a port that is 0 for a unix socket. */
  readonly nodes: readonly {
    readonly id: string;
    readonly address: NodeAddress;
    readonly place: { readonly host: string; readonly port: number };
  }[];
  /** Copies of each session, never more than there are nodes. */
  readonly copies: number;
  /** Copies that must have taken a save. */
  readonly acks: 'one' | 'majority' | 'all';
  /** PHP extension. */
  readonly handler: 'memcached' | 'memcache';
  /** How keys are spread. */
  readonly placement: SessionPlacementOptions;
  /** SASL credentials, when there are any. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** Container. */
  readonly serialize: SessionHandler;
  /** Key prefix. */
  readonly prefix: string;
  /** Life of an unused session. */
  readonly lifetimeMs: number;
  /** How saves meet. */
  readonly conflict: 'merge' | 'lock' | 'last-write-wins';
  /** Decides conflicts. */
  readonly onConflict: (conflict: VariableConflict) => ConflictDecision;
  /** What a save does with a vanished session. */
  readonly onGone: 'drop' | 'recreate';
  /** What a request gets without a store. */
  readonly onStoreDown: 'error' | 'anonymous';
  /** Cookie attributes. */
  readonly cookie: ResolvedSessionCookie;
  /** Which ids are let in. */
  readonly accept: RegExp;
  /** How new ids look. */
  readonly idFormat: SessionIdFormat;
  /** Patience for the lock. */
  readonly lockWaitMs: number;
  /** Age at which a lock counts as left behind. */
  readonly lockBreakMs: number;
  /** Deadline of one memcached operation. */
  readonly operationTimeoutMs: number;
  /** Pause between looks at a node. */
  readonly monitorIntervalMs: number;
}

/** The defaults of {@link SessionOptions}; where PHP has a default, it is PHP's. */
export const DEFAULT_SESSION_OPTIONS: {
  readonly copies: number;
  readonly acks: 'one';
  readonly handler: 'memcached';
  readonly serialize: 'php';
  readonly prefix: string;
  readonly lifetimeMs: number;
  readonly conflict: 'merge';
  readonly onGone: 'drop';
  readonly onStoreDown: 'error';
  readonly accept: RegExp;
  readonly idFormat: SessionIdFormat;
  readonly lockWaitMs: number;
  readonly lockBreakMs: number;
  readonly operationTimeoutMs: number;
  readonly monitorIntervalMs: number;
} = {
  copies: 2,
  acks: 'one',
  handler: 'memcached',
  serialize: 'php',
  prefix: 'memc.sess.key.',
  lifetimeMs: 1_440_000,
  conflict: 'merge',
  onGone: 'drop',
  onStoreDown: 'error',
  accept: /^[A-Za-z0-9,-]{1,231}$/,
  idFormat: { length: 32, bitsPerCharacter: 5 },
  lockWaitMs: 10_000,
  lockBreakMs: 60_000,
  operationTimeoutMs: 500,
  monitorIntervalMs: 1_000,
};

const KNOWN = [
  'nodes',
  'phpIni',
  'copies',
  'acks',
  'handler',
  'serialize',
  'placement',
  'username',
  'password',
  'prefix',
  'lifetimeMs',
  'conflict',
  'onConflict',
  'onGone',
  'onStoreDown',
  'cookie',
  'ids',
  'lockWaitMs',
  'lockBreakMs',
  'operationTimeoutMs',
  'monitorIntervalMs',
] as const;

/**
 * Checks session options and fills in the defaults.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option.
 */
export function resolveSessionOptions(given: SessionOptions, path = 'sessions'): ResolvedSessionOptions {
  const d = DEFAULT_SESSION_OPTIONS;
  rejectUnknownOptions(path, given, KNOWN);
  const options = withPhpIni(given, path);
  const texts = readStrings(`${path}.nodes`, options.nodes, []);
  if (texts.length === 0)
    throw invalidOption(`${path}.nodes`, "a list of 'host:port' with at least one node", options.nodes);
  const handler = readChoice(`${path}.handler`, options.handler, ['memcached', 'memcache'], d.handler);
  const nodes = texts.map((text, index) => {
    const address = parseNodeAddress(`${path}.nodes[${index}]`, text, 11_211);
    return { id: nodeIdOf(address), address, place: placeOf(text, address, handler) };
  });
  const twice = nodes.find((node, index) => nodes.findIndex((other) => other.id === node.id) !== index);
  if (twice !== undefined) throw invalidOption(`${path}.nodes`, 'a list without repeated nodes', twice.id);
  return {
    nodes,
    copies: Math.min(
      readNumber(`${path}.copies`, options.copies, d.copies, { min: 1, integer: true }),
      nodes.length,
    ),
    acks: readChoice(`${path}.acks`, options.acks, ['one', 'majority', 'all'], d.acks),
    handler,
    placement: resolvePlacement(`${path}.placement`, options.placement ?? {}, handler, nodes.length),
    credentials: resolveCredentials(path, options),
    serialize: readChoice(
      `${path}.serialize`,
      options.serialize,
      ['php', 'php_serialize', 'php_binary', 'igbinary'],
      d.serialize,
    ),
    prefix: readPrefix(`${path}.prefix`, options.prefix, handler === 'memcached' ? d.prefix : ''),
    lifetimeMs: readNumber(`${path}.lifetimeMs`, options.lifetimeMs, d.lifetimeMs, { min: 1000 }),
    conflict: readChoice(
      `${path}.conflict`,
      options.conflict,
      ['merge', 'lock', 'last-write-wins'],
      d.conflict,
    ),
    onConflict: readFunction(`${path}.onConflict`, options.onConflict, () => 'ours'),
    onGone: readChoice(`${path}.onGone`, options.onGone, ['drop', 'recreate'], d.onGone),
    onStoreDown: readChoice(
      `${path}.onStoreDown`,
      options.onStoreDown,
      ['error', 'anonymous'],
      d.onStoreDown,
    ),
    cookie: resolveSessionCookie(`${path}.cookie`, options.cookie),
    ...resolveIds(`${path}.ids`, options.ids ?? {}),
    lockWaitMs: readNumber(`${path}.lockWaitMs`, options.lockWaitMs, d.lockWaitMs, { min: 0 }),
    lockBreakMs: readNumber(`${path}.lockBreakMs`, options.lockBreakMs, d.lockBreakMs, { min: 0 }),
    operationTimeoutMs: readNumber(
      `${path}.operationTimeoutMs`,
      options.operationTimeoutMs,
      d.operationTimeoutMs,
      { min: 1 },
    ),
    monitorIntervalMs: readNumber(
      `${path}.monitorIntervalMs`,
      options.monitorIntervalMs,
      d.monitorIntervalMs,
      { min: 50 },
    ),
  };
}

/** What PHP's extensions hash of a node: the text of `save_path`, brackets of IPv6 included (measured). */
function placeOf(
  text: string,
  address: NodeAddress,
  handler: 'memcached' | 'memcache',
): { host: string; port: number } {
  if (address.socketPath !== undefined) {
    return { host: handler === 'memcached' ? address.socketPath : `unix://${address.socketPath}`, port: 0 };
  }
  const host = text.startsWith('[') ? text.slice(0, text.indexOf(']') + 1) : address.host;
  return { host, port: address.port };
}

function resolvePlacement(
  path: string,
  options: SessionPlacementOptions,
  handler: 'memcached' | 'memcache',
  nodes: number,
): SessionPlacementOptions {
  // A setting of the other extension would be ignored in silence, and every session be somewhere else.
  rejectUnknownOptions(
    path,
    options,
    handler === 'memcached' ? ['distribution', 'weights'] : ['strategy', 'hash', 'weights'],
  );
  const { weights } = options;
  const fit =
    weights === undefined ||
    (weights.length === nodes && weights.every((weight) => Number.isInteger(weight) && weight > 0));
  if (!fit) throw invalidOption(`${path}.weights`, `${nodes} positive integers, one for each node`, weights);
  return options;
}

function resolveCredentials(
  path: string,
  { username, password }: SessionOptions,
): ResolvedSessionOptions['credentials'] {
  if (username === undefined && password === undefined) return undefined;
  const name = readString(`${path}.username`, username, '');
  if (typeof password !== 'string' || password === '' || name === '') {
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      `Expected \`${path}.username\` and \`${path}.password\` to be given together`,
    );
  }
  return { username: name, password };
}

/** Checks cookie options and fills in the defaults. */
export function resolveSessionCookie(
  path: string,
  options: SessionCookieOptions = {},
): ResolvedSessionCookie {
  const d = DEFAULT_SESSION_COOKIE;
  rejectUnknownOptions(path, options, Object.keys(d));
  const name = readString(`${path}.name`, options.name, d.name);
  // PHP refuses the same names; a numeric one would become an array index of $_COOKIE.
  if (/[=,;.[ \t\r\n\v\f]/.test(name) || /^\d+$/.test(name)) {
    throw invalidOption(
      `${path}.name`,
      'a cookie name that PHP accepts: not numeric, none of `=,;.[` or white space',
      name,
    );
  }
  const attribute = (key: 'path' | 'domain', fallback: string): string => {
    const value = options[key] ?? fallback;
    if (typeof value !== 'string' || /[;,\s\v\f]/.test(value))
      throw invalidOption(`${path}.${key}`, 'a cookie attribute', value);
    return value;
  };
  const secure = options.secure ?? d.secure;
  if (typeof secure !== 'boolean' && secure !== 'auto')
    throw invalidOption(`${path}.secure`, "a boolean or 'auto'", secure);
  const httpOnly = options.httpOnly ?? d.httpOnly;
  if (typeof httpOnly !== 'boolean') throw invalidOption(`${path}.httpOnly`, 'a boolean', httpOnly);
  return {
    name,
    path: attribute('path', d.path),
    domain: attribute('domain', d.domain),
    secure,
    httpOnly,
    sameSite: readChoice(`${path}.sameSite`, options.sameSite, ['Lax', 'Strict', 'None', ''], d.sameSite),
    partitioned: readBoolean(`${path}.partitioned`, options.partitioned, d.partitioned),
    lifetimeMs: readNumber(`${path}.lifetimeMs`, options.lifetimeMs, d.lifetimeMs, { min: 0 }),
  };
}

function resolveIds(path: string, options: SessionIdOptions): { accept: RegExp; idFormat: SessionIdFormat } {
  const d = DEFAULT_SESSION_OPTIONS;
  rejectUnknownOptions(path, options, ['accept', 'length', 'bitsPerCharacter']);
  const accept = options.accept ?? d.accept;
  if (!(accept instanceof RegExp)) throw invalidOption(`${path}.accept`, 'a regular expression', accept);
  // A global or sticky expression keeps a position between tests and would refuse every second id.
  if (accept.global || accept.sticky)
    throw invalidOption(`${path}.accept`, 'a regular expression without the g and y flags', accept.flags);
  const bits = options.bitsPerCharacter ?? d.idFormat.bitsPerCharacter;
  if (bits !== 4 && bits !== 5 && bits !== 6)
    throw invalidOption(`${path}.bitsPerCharacter`, '4, 5 or 6', bits);
  const length = readNumber(`${path}.length`, options.length, d.idFormat.length, {
    min: 22,
    max: 231,
    integer: true,
  });
  return { accept, idFormat: { length, bitsPerCharacter: bits } };
}

function readPrefix(path: string, value: unknown, fallback: string): string {
  if (value === undefined) return fallback;
  if (typeof value !== 'string' || value.length > 200 || !/^[\x21-\x7e]*$/.test(value)) {
    throw invalidOption(path, 'up to 200 printable ASCII characters without blanks', value);
  }
  return value;
}

function readFunction<T>(path: string, value: T | undefined, fallback: T): T {
  if (value === undefined) return fallback;
  if (typeof value !== 'function') throw invalidOption(path, 'a function', value);
  return value;
}
