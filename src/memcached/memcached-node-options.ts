/** Options of a memcached node, their defaults and their checks. */
import type { ConnectionOptions } from 'node:tls';
import type { NodeBreaker } from '../breaker/node-breaker.js';
import { type NodeAddress, type NodeId, nodeIdOf } from '../common/node-address.js';
import { invalidOption, readNumber, readString, rejectUnknownOptions } from '../common/option-reader.js';

/** How one memcached server is reached. */
export interface MemcachedNodeOptions {
  /** Where it listens: TCP over IPv4 or IPv6, or a unix socket. */
  readonly address: NodeAddress;
  /** Its name in errors and events. Default: its address. */
  readonly id?: NodeId;
  /** Deadline of one call in milliseconds, when the call brings none, and the longest silence after which a connection is thrown away. Default 500; 0 is none. */
  readonly timeoutMs?: number;
  /** Limit for making a connection, TLS and SASL included, in milliseconds. Default 1000. */
  readonly connectTimeoutMs?: number;
  /** Gates for reads and for writes, asked before every call but `version` and `stats`, and told how it ended. Default: none. */
  readonly breakers?: { readonly get: NodeBreaker; readonly set: NodeBreaker };
  /** Largest item in bytes, key and memcached's own bytes included: its `-I`. Default: asked from the server (`item_size_max`). */
  readonly maxItemBytes?: number;
  /** User name for SASL PLAIN. Default: no authentication. */
  readonly username?: string;
  /** Password for SASL PLAIN. */
  readonly password?: string;
  /** Speak TLS: true, or options of `tls.connect`. Default false. */
  readonly tls?: boolean | ConnectionOptions;
  /**
   * The number of the first request of a connection, for tests of the wrap.
   *
   * @internal
   */
  readonly firstSequence?: number;
}

/** {@link MemcachedNodeOptions} with every default filled in. */
export interface ResolvedMemcachedNodeOptions {
  /** Where it listens. */
  readonly address: NodeAddress;
  /** Its name. */
  readonly id: NodeId;
  /** Deadline of one call. */
  readonly timeoutMs: number;
  /** Limit for making a connection. */
  readonly connectTimeoutMs: number;
  /** Gates. */
  readonly breakers: { readonly get: NodeBreaker; readonly set: NodeBreaker } | undefined;
  /** Largest item, or undefined to ask the server. */
  readonly maxItemBytes: number | undefined;
  /** SASL credentials. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** TLS options, or undefined for none. */
  readonly tls: ConnectionOptions | undefined;
  /** The number of the first request of a connection. */
  readonly firstSequence: number;
}

/** The defaults of {@link MemcachedNodeOptions}. */
const DEFAULT_MEMCACHED_NODE_OPTIONS: {
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
} = Object.freeze({ timeoutMs: 500, connectTimeoutMs: 1000 });

const NAMES = [
  'address',
  'id',
  'timeoutMs',
  'connectTimeoutMs',
  'breakers',
  'maxItemBytes',
  'username',
  'password',
  'tls',
  'firstSequence',
];

/**
 * Fills in defaults and checks.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function resolveMemcachedNodeOptions(options: MemcachedNodeOptions): ResolvedMemcachedNodeOptions {
  rejectUnknownOptions('options', options, NAMES);
  const { address, username, password, tls } = options;
  checkAddress(address);
  if ((username === undefined) !== (password === undefined)) {
    throw invalidOption(
      'password',
      'given together with `username`',
      username === undefined ? password : undefined,
    );
  }
  return Object.freeze({
    address,
    id: options.id ?? nodeIdOf(address),
    timeoutMs: readNumber('timeoutMs', options.timeoutMs, DEFAULT_MEMCACHED_NODE_OPTIONS.timeoutMs, {
      min: 0,
    }),
    connectTimeoutMs: readNumber(
      'connectTimeoutMs',
      options.connectTimeoutMs,
      DEFAULT_MEMCACHED_NODE_OPTIONS.connectTimeoutMs,
      { min: 1 },
    ),
    breakers: options.breakers,
    maxItemBytes:
      options.maxItemBytes === undefined
        ? undefined
        : readNumber('maxItemBytes', options.maxItemBytes, 0, {
            min: 1024,
            max: 1_073_741_824,
            integer: true,
          }),
    credentials: username === undefined || password === undefined ? undefined : { username, password },
    tls: tls === undefined || tls === false ? undefined : tls === true ? {} : tls,
    firstSequence: options.firstSequence ?? 1,
  });
}

/**
 * The option that makes nodes be spoken to with TLS, at `path`; false when it is left out.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function readNodeTls(path: string, value: unknown): boolean | ConnectionOptions {
  if (value === undefined) return false;
  if (typeof value === 'boolean' || (typeof value === 'object' && value !== null)) return value;
  throw invalidOption(path, 'a boolean or options of tls.connect', value);
}

function checkAddress(address: NodeAddress): void {
  if (typeof address !== 'object' || address === null) throw invalidOption('address', 'an object', address);
  if (address.socketPath !== undefined) readString('address.socketPath', address.socketPath, '');
  else {
    readString('address.host', address.host ?? null, '');
    readNumber('address.port', address.port ?? null, 0, { min: 1, max: 65_535, integer: true });
  }
}
