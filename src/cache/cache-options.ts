/** Options of a tiered cache, their defaults and their checks. */
import type { ConnectionOptions } from 'node:tls';
import { type NodeAddress, nodeIdOf, parseNodeAddress } from '../common/node-address.js';
import {
  invalidOption,
  readChoice,
  readNumber,
  readStrings,
  rejectUnknownOptions,
} from '../common/option-reader.js';
import { readNodeTls } from '../memcached/memcached-node-options.js';
import type { CacheCompression, CacheSerializer, CacheValueFormat } from './php-cache-value.js';

/** The level in the process. */
export interface LocalLevelOptions {
  /** Most values. 0 turns the level off. Default 10 000. */
  readonly maxEntries?: number;
  /** Most bytes, roughly. Default 64 MiB. */
  readonly maxBytes?: number;
  /**
   * How long a value is served from the process before the shared level is asked again, in milliseconds: how stale it may be
   * when no word of a change can be had. Default 5000.
   */
  readonly ttlMs?: number;
}

/** How a tiered cache finds its nodes and keeps values. */
export interface CacheOptions {
  /** The memcached nodes as `host:port`, in PHP's order. Not those of the sessions: a full cache would push sessions out. */
  readonly nodes: readonly string[];
  /** Prefix of every key: PHP's `Memcached::OPT_PREFIX_KEY`. Default `'cache.'`. */
  readonly prefix?: string;
  /**
   * How PHP's `Memcached` class spreads keys: `'ketama'` for `OPT_DISTRIBUTION` = `DISTRIBUTION_CONSISTENT`, `'ketama_weighted'` for
   * `OPT_LIBKETAMA_COMPATIBLE`, `'modula'` for its default. Default `'ketama'`.
   */
  readonly distribution?: 'ketama' | 'ketama_weighted' | 'modula';
  /** How long a value lives in the shared level, in milliseconds, unless a call says otherwise; 0 is for ever. Default 60 000. */
  readonly ttlMs?: number;
  /** How long the answer "there is none" is kept, in milliseconds; 0 does not keep it. Default 5000. */
  readonly negativeTtlMs?: number;
  /** The share of its life after which a value that is read is made anew in the background; 1 never does. Default 0.8. */
  readonly refreshAt?: number;
  /**
   * How long a process that dies while it makes a value can hold the others up, and how long those in the same process join one that
   * is being made, in milliseconds. What takes longer is stored all the same, up to 60 times as long. Default 10 000.
   */
  readonly flightMs?: number;
  /** How long a process waits for a value that another one makes before it makes it itself, in milliseconds. Default 2000. */
  readonly waitMs?: number;
  /** The level in the process. */
  readonly local?: LocalLevelOptions;
  /** How often changes by other processes are looked for, in milliseconds. Default 200. */
  readonly pollMs?: number;
  /** What arrays and objects are serialized with. PHP reads all of them. Default `'php'`. */
  readonly serializer?: CacheSerializer;
  /** What long values are compressed with. PHP reads all of them. Default `'fastlz'`. */
  readonly compression?: CacheCompression;
  /** Shorter values are not compressed, in bytes. Default 2000. */
  readonly compressAboveBytes?: number;
  /** Longer values are not stored, and compressed ones not read, in bytes before compression. Default 16 MiB. */
  readonly maxValueBytes?: number;
  /** What a node that cannot be reached means: a miss, or an error of the call. Default `'miss'`. */
  readonly onNodeDown?: 'miss' | 'throw';
  /** Deadline of one memcached operation, in milliseconds. Default 250. */
  readonly operationTimeoutMs?: number;
  /** SASL user name. */
  readonly username?: string;
  /** SASL password. */
  readonly password?: string;
  /** Speak TLS to the nodes: true, or options of `tls.connect`. Default false. */
  readonly tls?: boolean | ConnectionOptions;
}

/** {@link CacheOptions} with every default filled in. */
export interface ResolvedCacheOptions {
  /** The nodes. */
  readonly nodes: readonly {
    readonly id: string;
    readonly address: NodeAddress;
    readonly place: { readonly host: string; readonly port: number };
  }[];
  /** Prefix of keys. */
  readonly prefix: string;
  /** How keys are spread. */
  readonly distribution: 'ketama' | 'ketama_weighted' | 'modula';
  /** Life of values. */
  readonly ttlMs: number;
  /** Life of "there is none". */
  readonly negativeTtlMs: number;
  /** Share of its life after which a value is made anew. */
  readonly refreshAt: number;
  /** Longest making. */
  readonly flightMs: number;
  /** Longest waiting. */
  readonly waitMs: number;
  /** The level in the process. */
  readonly local: Required<LocalLevelOptions>;
  /** Pause between looks at the log of changes. */
  readonly pollMs: number;
  /** How values are written. */
  readonly format: CacheValueFormat;
  /** What a node that is down means. */
  readonly onNodeDown: 'miss' | 'throw';
  /** Deadline of one operation. */
  readonly operationTimeoutMs: number;
  /** SASL credentials. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** Whether, and how, TLS is spoken. */
  readonly tls: boolean | ConnectionOptions;
}

/** The defaults of {@link CacheOptions}. */
export const DEFAULT_CACHE_OPTIONS: Readonly<
  Required<Omit<CacheOptions, 'nodes' | 'username' | 'password' | 'local'>> & {
    readonly local: Required<LocalLevelOptions>;
  }
> = Object.freeze({
  prefix: 'cache.',
  distribution: 'ketama',
  ttlMs: 60_000,
  negativeTtlMs: 5_000,
  refreshAt: 0.8,
  flightMs: 10_000,
  waitMs: 2_000,
  local: Object.freeze({ maxEntries: 10_000, maxBytes: 67_108_864, ttlMs: 5_000 }),
  pollMs: 200,
  serializer: 'php',
  compression: 'fastlz',
  compressAboveBytes: 2_000,
  maxValueBytes: 16_777_216,
  onNodeDown: 'miss',
  operationTimeoutMs: 250,
  tls: false,
});

const NAMES = ['nodes', 'username', 'password', ...Object.keys(DEFAULT_CACHE_OPTIONS)];
const MAX_MS = 2_147_483_647;

/** How long a value may live at most, in milliseconds: a year. */
export const LONGEST_LIFE_MS = 31_536_000_000;
const DEFAULT_PORT = 11_211;

/**
 * Fills in defaults and checks.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function resolveCacheOptions(options: CacheOptions): ResolvedCacheOptions {
  rejectUnknownOptions('cache', options, NAMES);
  const defaults = DEFAULT_CACHE_OPTIONS;
  const ms = (name: 'ttlMs' | 'negativeTtlMs' | 'waitMs', min: number): number =>
    readNumber(`cache.${name}`, options[name], defaults[name], {
      min,
      max: name === 'waitMs' ? MAX_MS : LONGEST_LIFE_MS,
    });
  const timer = (name: 'flightMs' | 'pollMs' | 'operationTimeoutMs'): number =>
    readNumber(`cache.${name}`, options[name], defaults[name], { min: 1, max: MAX_MS });
  const bytes = (name: 'compressAboveBytes' | 'maxValueBytes'): number =>
    readNumber(`cache.${name}`, options[name], defaults[name], { min: 0, max: 1_073_741_824, integer: true });
  return Object.freeze({
    nodes: readNodes(options.nodes),
    prefix: readPrefix(options.prefix),
    distribution: readChoice(
      'cache.distribution',
      options.distribution,
      ['ketama', 'ketama_weighted', 'modula'],
      defaults.distribution,
    ),
    ttlMs: ms('ttlMs', 0),
    negativeTtlMs: ms('negativeTtlMs', 0),
    refreshAt: readNumber('cache.refreshAt', options.refreshAt, defaults.refreshAt, { min: 0, max: 1 }),
    flightMs: timer('flightMs'),
    waitMs: ms('waitMs', 0),
    local: readLocal(options.local),
    pollMs: timer('pollMs'),
    format: Object.freeze({
      serializer: readChoice(
        'cache.serializer',
        options.serializer,
        ['php', 'igbinary', 'json'],
        defaults.serializer,
      ),
      compression: readChoice(
        'cache.compression',
        options.compression,
        ['fastlz', 'zlib', 'none'],
        defaults.compression,
      ),
      compressAboveBytes: bytes('compressAboveBytes'),
      maxBytes: bytes('maxValueBytes'),
    }),
    onNodeDown: readChoice('cache.onNodeDown', options.onNodeDown, ['miss', 'throw'], defaults.onNodeDown),
    operationTimeoutMs: timer('operationTimeoutMs'),
    credentials: readCredentials(options),
    tls: readNodeTls('cache.tls', options.tls),
  });
}

function readNodes(nodes: unknown): ResolvedCacheOptions['nodes'] {
  const list = readStrings('cache.nodes', nodes, []);
  if (list.length === 0) throw invalidOption('cache.nodes', "a list of addresses like 'host:port'", nodes);
  const seen = new Set<string>();
  return list.map((text, index) => {
    const address = parseNodeAddress(`cache.nodes[${index}]`, text, DEFAULT_PORT);
    const id = nodeIdOf(address);
    if (seen.has(id)) throw invalidOption(`cache.nodes[${index}]`, 'another node than those before it', text);
    seen.add(id);
    const place =
      address.socketPath === undefined
        ? { host: address.host.includes(':') ? `[${address.host}]` : address.host, port: address.port }
        : { host: address.socketPath, port: 0 };
    return { id, address, place };
  });
}

function readPrefix(prefix: unknown): string {
  if (prefix === undefined) return DEFAULT_CACHE_OPTIONS.prefix;
  if (typeof prefix === 'string' && /^[\x21-\x7e]{0,100}$/.test(prefix)) return prefix;
  throw invalidOption('cache.prefix', 'up to 100 characters without spaces', prefix);
}

function readLocal(local: LocalLevelOptions | undefined): Required<LocalLevelOptions> {
  const defaults = DEFAULT_CACHE_OPTIONS.local;
  if (local === undefined) return defaults;
  rejectUnknownOptions('cache.local', local, Object.keys(defaults));
  return Object.freeze({
    maxEntries: readNumber('cache.local.maxEntries', local.maxEntries, defaults.maxEntries, {
      min: 0,
      max: 10_000_000,
      integer: true,
    }),
    maxBytes: readNumber('cache.local.maxBytes', local.maxBytes, defaults.maxBytes, {
      min: 0,
      integer: true,
    }),
    ttlMs: readNumber('cache.local.ttlMs', local.ttlMs, defaults.ttlMs, { min: 0, max: MAX_MS }),
  });
}

function readCredentials({ username, password }: CacheOptions): ResolvedCacheOptions['credentials'] {
  if (username === undefined && password === undefined) return undefined;
  if (typeof username !== 'string' || typeof password !== 'string') {
    throw invalidOption('cache.password', 'a string, given together with `username`', undefined);
  }
  return { username, password };
}
