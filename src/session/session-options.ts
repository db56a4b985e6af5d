/** Options of the session store on memcached, their defaults and their checks. */
import type { ConnectionOptions } from 'node:tls';
import {
  invalidOption,
  readBoolean,
  readChoice,
  readNumber,
  readString,
  rejectUnknownOptions,
} from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { MAX_KEY_BYTES } from '../memcached/memcached-key.js';
import { readNodeTls } from '../memcached/memcached-node-options.js';
import {
  COMMON_SESSION_OPTION_NAMES,
  type CommonSessionOptions,
  DEFAULT_COMMON_SESSION_OPTIONS,
  type ResolvedCommonSessionOptions,
  resolveCommonSessionOptions,
} from './common-session-options.js';
import { acceptUpTo, DEFAULT_SESSION_IDS, type ResolvedSessionIds } from './session-id-options.js';
import { sessionLockKey } from './session-keys.js';
import {
  type PlacedNode,
  resolvePlacement,
  resolveSessionNodes,
  type SessionPlacementOptions,
  withAddressMap,
} from './session-placement-options.js';
import type { SessionSeal } from './session-values.js';

/** Who keeps the sessions in PHP: the session handler of an extension, or a framework with the class `Memcached`. */
export type SessionHandlerName = 'memcached' | 'memcache' | 'memcached-class';

/** How a session store finds, reads and writes PHP's sessions on memcached nodes. */
export interface SessionOptions extends CommonSessionOptions {
  /** The memcached nodes as `host:port`, in the order and with the very host text of PHP's `session.save_path`. */
  readonly nodes?: readonly string[];
  /**
   * PHP's own configuration instead: the path of a php.ini (a `conf.d` beside it is read, too), of a file with the
   * output of `php -i`, or a list of files and folders. Options that are given beside it win.
   */
  readonly phpIni?: string | readonly string[];
  /**
   * How many nodes hold each session: PHP's `memcached.sess_number_of_replicas` + 1, or `memcache.session_redundancy`; never more
   * than there are nodes. Default 2.
   */
  readonly copies?: number;
  /**
   * PHP's `session.save_handler`; or `'memcached-class'` for a framework that keeps sessions by itself with PHP's class
   * `Memcached`: no lock of PHP then, the whole key is hashed, and values may be compressed. `symfonySessions` and
   * `laravelSessions` give its options. Default `'memcached'`.
   */
  readonly handler?: SessionHandlerName;
  /** How keys are spread over the nodes. */
  readonly placement?: SessionPlacementOptions;
  /** SASL user name, `memcached.sess_sasl_username`. */
  readonly username?: string;
  /** SASL password, `memcached.sess_sasl_password`. */
  readonly password?: string;
  /**
   * Key prefix: `memcached.sess_prefix`, or `memcache.session_prefix_static_key`. Default `'memc.sess.key.'` with the handler
   * `'memcached'`, else none.
   */
  readonly prefix?: string;
  /**
   * What the nodes are kept complete with: `'sessions'`, or `'all'` keys, for a gateway whose clients keep more than sessions there.
   * All processes that should do it together must say the same. Default `'sessions'`.
   */
  readonly keys?: 'sessions' | 'all';
  /**
   * How long a lock of this process lives when the process dies holding it, in milliseconds; as long as it lives, it is renewed.
   * PHP's `memcache.lock_timeout` × 1000, which must be the same on both sides, or `memcached.sess_lock_expire`. At least 1000.
   * Default 15 000 with the handler `'memcache'`, else 30 000.
   */
  readonly lockExpireMs?: number;
  /**
   * How long one and the same lock that never ends by itself must have been seen before it counts as left behind by a killed PHP
   * process and is removed, in milliseconds; 0 removes none. PHP's own locks expire after `memcached.sess_lock_expire`, else after
   * `max_execution_time`, and are left alone as long as they live; only where both are 0, as on the command line by default and after
   * `set_time_limit(0)`, do they last for ever. It must be longer than any such script may keep a session open, and, on nodes that do
   * not tell how long a lock lives (SASL, memcached before 1.6), than any page. With `phpIni` twice the life of PHP's locks, and at
   * least the default: twice PHP's default `max_execution_time`. Default 60 000.
   */
  readonly lockBreakMs?: number;
  /**
   * Whether this process takes part in filling nodes that came back and in mending copies. Without it the process only looks; some
   * other one must do it. Default true.
   */
  readonly resync?: boolean;
  /** How many sessions a second are copied at most to a node that came back empty; 0 is no limit. Default 50 000. */
  readonly resyncItemsPerSecond?: number;
  /**
   * How long a node must have been silent before the others go on without what it holds, in milliseconds; 0 is never. With more
   * nodes than copies they take copies of it; what is saved meanwhile gets its copies at once. A node that came back empty says
   * `ERR_STORE_DOWN` until then for a session that may be on the silent one, and that there is none afterwards. Default 30 000.
   */
  readonly recopyAfterMs?: number;
  /**
   * Where nodes are reached from here, by their name in `nodes`, when that is not where PHP reaches them: through a tunnel or out of a
   * container. Sessions are spread by the names in `nodes` all the same.
   */
  readonly addressMap?: Readonly<Record<string, string>>;
  /** Speak TLS to the nodes: true, or options of `tls.connect`. Default false. */
  readonly tls?: boolean | ConnectionOptions;
  /** What a framework puts around a stored session; only with the handler `'memcached-class'`. */
  readonly seal?: SessionSeal;
}

/** The session options with every default filled in. */
export interface ResolvedSessionOptions extends ResolvedCommonSessionOptions {
  /** The nodes. */
  readonly nodes: readonly PlacedNode[];
  /** Copies of each session, never more than there are nodes. */
  readonly copies: number;
  /** Who keeps the sessions in PHP. */
  readonly handler: SessionHandlerName;
  /** How keys are spread. */
  readonly placement: SessionPlacementOptions;
  /** SASL credentials, when there are any. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** Key prefix. */
  readonly prefix: string;
  /** What nodes are kept complete with. */
  readonly keys: 'sessions' | 'all';
  /** Life of a lock of ours that is not given back. */
  readonly lockExpireMs: number;
  /** Age at which a lock counts as left behind. */
  readonly lockBreakMs: number;
  /** Whether this process fills and mends. */
  readonly resync: boolean;
  /** Speed of a refill. */
  readonly resyncItemsPerSecond: number;
  /** Silence of a node after which others take its copies. */
  readonly recopyAfterMs: number;
  /** TLS. */
  readonly tls: boolean | ConnectionOptions;
  /** What is around a stored session. */
  readonly seal: SessionSeal | undefined;
}

/** The defaults of {@link SessionOptions}; where PHP has a default, it is PHP's. */
export const DEFAULT_SESSION_OPTIONS: typeof DEFAULT_COMMON_SESSION_OPTIONS & {
  readonly copies: number;
  readonly handler: 'memcached';
  readonly prefix: string;
  readonly keys: 'sessions';
  readonly lockBreakMs: number;
  readonly resyncItemsPerSecond: number;
  readonly recopyAfterMs: number;
  readonly operationTimeoutMs: number;
  readonly monitorIntervalMs: number;
} = {
  ...DEFAULT_COMMON_SESSION_OPTIONS,
  copies: 2,
  handler: 'memcached',
  prefix: 'memc.sess.key.',
  keys: 'sessions',
  lockBreakMs: 60_000,
  resyncItemsPerSecond: 50_000,
  recopyAfterMs: 30_000,
  operationTimeoutMs: 500,
  monitorIntervalMs: 1_000,
};

/** The longest prefix that php-memcached uses; of a longer one it uses nothing (libmemcached's namespace, measured). */
export const MEMCACHED_PREFIX_LIMIT = 127;

const HANDLERS: readonly SessionHandlerName[] = ['memcached', 'memcache', 'memcached-class'];

/** Their names. */
export const SESSION_OPTION_NAMES: readonly (keyof SessionOptions)[] = [
  'nodes',
  'phpIni',
  'copies',
  'handler',
  'placement',
  'username',
  'password',
  'prefix',
  'keys',
  'lockExpireMs',
  'lockBreakMs',
  'resync',
  'resyncItemsPerSecond',
  'recopyAfterMs',
  'addressMap',
  'tls',
  'seal',
  ...COMMON_SESSION_OPTION_NAMES,
];

/**
 * Checks the options of a store on memcached and fills in the defaults. `phpIni` was read before.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option.
 */
export function resolveSessionOptions(options: SessionOptions, path = 'sessions'): ResolvedSessionOptions {
  const d = DEFAULT_SESSION_OPTIONS;
  rejectUnknownOptions(path, options, SESSION_OPTION_NAMES);
  const handler = readChoice(`${path}.handler`, options.handler, HANDLERS, d.handler);
  const nodes = withAddressMap(
    `${path}.addressMap`,
    resolveSessionNodes(`${path}.nodes`, options.nodes, handler),
    options.addressMap,
  );
  const common = resolveCommonSessionOptions(path, options, d);
  const prefix = readPrefix(`${path}.prefix`, options.prefix, handler);
  return {
    ...common,
    ...fitIds(path, common, { handler, prefix }),
    nodes,
    copies: Math.min(
      readNumber(`${path}.copies`, options.copies, d.copies, { min: 1, integer: true }),
      nodes.length,
    ),
    handler,
    placement: resolvePlacement(`${path}.placement`, options.placement, handler, nodes.length),
    credentials: resolveCredentials(path, options),
    prefix,
    keys: readChoice(`${path}.keys`, options.keys, ['sessions', 'all'], d.keys),
    lockExpireMs: readNumber(
      `${path}.lockExpireMs`,
      options.lockExpireMs,
      handler === 'memcache' ? 15_000 : 30_000,
      { min: 1_000, max: 2_592_000_000 },
    ),
    lockBreakMs: readNumber(`${path}.lockBreakMs`, options.lockBreakMs, d.lockBreakMs, { min: 0 }),
    resync: readBoolean(`${path}.resync`, options.resync, true),
    recopyAfterMs: readNumber(`${path}.recopyAfterMs`, options.recopyAfterMs, d.recopyAfterMs, { min: 0 }),
    resyncItemsPerSecond: readNumber(
      `${path}.resyncItemsPerSecond`,
      options.resyncItemsPerSecond,
      d.resyncItemsPerSecond,
      { min: 0 },
    ),
    tls: readNodeTls(`${path}.tls`, options.tls),
    seal: readSeal(`${path}.seal`, options.seal, handler),
  };
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

function readSeal(
  path: string,
  seal: SessionSeal | undefined,
  handler: SessionHandlerName,
): SessionSeal | undefined {
  if (seal === undefined) return undefined;
  if (typeof seal?.open !== 'function' || typeof seal.seal !== 'function')
    throw invalidOption(path, 'an object with `open` and `seal`', seal);
  // PHP's own handlers would delete a session that they cannot decode.
  if (handler !== 'memcached-class')
    throw invalidOption(path, "left out unless `handler` is 'memcached-class'", seal);
  return seal;
}

function readPrefix(path: string, value: unknown, handler: SessionHandlerName): string {
  if (value === undefined) return handler === 'memcached' ? DEFAULT_SESSION_OPTIONS.prefix : '';
  const limit = handler === 'memcached' ? MEMCACHED_PREFIX_LIMIT : 200;
  if (typeof value !== 'string' || value.length > limit || !/^[\x21-\x7e]*$/.test(value)) {
    throw invalidOption(path, `up to ${limit} printable ASCII characters without blanks`, value);
  }
  return value;
}

/** Sees to it that the keys of new sessions fit memcached; longer ids that PHP may have made are let in as far as they fit. */
function fitIds(
  path: string,
  { accept, idFormat }: ResolvedSessionIds,
  keys: { readonly handler: SessionHandlerName; readonly prefix: string },
): Pick<ResolvedSessionIds, 'accept'> {
  const room = MAX_KEY_BYTES - sessionLockKey(keys, '').key.length;
  if (idFormat.length > room) {
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      `Expected \`${path}.prefix\` and \`${path}.ids.length\` to leave room for each other: a key of memcached has at most ${MAX_KEY_BYTES} bytes, so that ids have at most ${room} with this prefix, got ${idFormat.length}`,
    );
  }
  return { accept: accept === DEFAULT_SESSION_IDS.accept && room < 231 ? acceptUpTo(room) : accept };
}
