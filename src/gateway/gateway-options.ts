/** Options of a gateway, their defaults and their checks. */
import type { TlsOptions } from 'node:tls';
import { invalidOption, readNumber, readString, rejectUnknownOptions } from '../common/option-reader.js';
import { readServerTls } from './check-tls.js';

/** Where a gateway listens, and what it allows. */
export interface SessionGatewayOptions {
  /** The address to listen on. Anything but a loopback address lets other machines in. Default `'127.0.0.1'`. */
  readonly host?: string;
  /** The port; 0 takes a free one. Default 11311, unless `path` is given. */
  readonly port?: number;
  /** The path of a unix socket, instead of `host` and `port`. A socket that a dead process left there is removed. */
  readonly path?: string;
  /** The permissions of the unix socket: who may connect. Default `0o600`: only the same user. */
  readonly socketMode?: number;
  /** Speak TLS: at least `key` and `cert`, as `tls.createServer` takes them. Default: none. */
  readonly tls?: TlsOptions;
  /** The user name that clients must log in with (SASL PLAIN). Then only the binary protocol is spoken, as memcached does. Default: no login. */
  readonly username?: string;
  /** The password that clients must log in with. */
  readonly password?: string;
  /** How many clients there may be at a time; one more is told so and closed. Default 1024. */
  readonly maxConnections?: number;
  /** The longest value in bytes; the nodes' own limit (`-I`) holds beside it. Default 1 048 576. */
  readonly maxValueBytes?: number;
  /** How long a request may take to arrive, and answers to be read, in milliseconds; 0 is no limit. Default 30 000. */
  readonly stallTimeoutMs?: number;
  /** How long a client may say nothing between requests, in milliseconds; 0 is no limit. PHP keeps persistent connections. Default 0. */
  readonly idleTimeoutMs?: number;
  /** How long one command may take before it is answered as failed, in milliseconds. PHP's clients wait 5 s by default. Default 4000. */
  readonly commandTimeoutMs?: number;
  /** How long `close` waits for requests under way, in milliseconds. Default 5000. */
  readonly drainMs?: number;
}

/** {@link SessionGatewayOptions} with every default filled in. */
export interface ResolvedSessionGatewayOptions {
  /** Where it listens. */
  readonly listen:
    | { readonly host: string; readonly port: number }
    | { readonly path: string; readonly mode: number };
  /** TLS. */
  readonly tls: TlsOptions | undefined;
  /** What clients log in with. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** Most clients. */
  readonly maxConnections: number;
  /** Longest value. */
  readonly maxValueBytes: number;
  /** Patience with requests and readers. */
  readonly stallTimeoutMs: number;
  /** Patience with silence. */
  readonly idleTimeoutMs: number;
  /** Patience with one command. */
  readonly commandTimeoutMs: number;
  /** Patience of `close`. */
  readonly drainMs: number;
}

/** The defaults of {@link SessionGatewayOptions}. */
export const DEFAULT_GATEWAY_OPTIONS: {
  readonly host: string;
  readonly port: number;
  readonly socketMode: number;
  readonly maxConnections: number;
  readonly maxValueBytes: number;
  readonly stallTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly drainMs: number;
} = Object.freeze({
  host: '127.0.0.1',
  port: 11_311,
  socketMode: 0o600,
  maxConnections: 1024,
  maxValueBytes: 1_048_576,
  stallTimeoutMs: 30_000,
  idleTimeoutMs: 0,
  commandTimeoutMs: 4_000,
  drainMs: 5_000,
});

const NAMES = [
  'host',
  'port',
  'path',
  'socketMode',
  'tls',
  'username',
  'password',
  'maxConnections',
  'maxValueBytes',
  'stallTimeoutMs',
  'idleTimeoutMs',
  'commandTimeoutMs',
  'drainMs',
];
const DURATION_MAX = 2_147_483_647;

/**
 * Fills in defaults and checks.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function resolveGatewayOptions(options: SessionGatewayOptions = {}): ResolvedSessionGatewayOptions {
  rejectUnknownOptions('options', options, NAMES);
  const defaults = DEFAULT_GATEWAY_OPTIONS;
  const duration = (name: 'stallTimeoutMs' | 'idleTimeoutMs' | 'drainMs'): number =>
    readNumber(name, options[name], defaults[name], { min: 0, max: DURATION_MAX });
  return Object.freeze({
    listen: listenOptions(options),
    tls: readServerTls(options.tls),
    credentials: credentialsOf(options),
    maxConnections: readNumber('maxConnections', options.maxConnections, defaults.maxConnections, {
      min: 1,
      max: 1_000_000,
      integer: true,
    }),
    maxValueBytes: readNumber('maxValueBytes', options.maxValueBytes, defaults.maxValueBytes, {
      min: 1024,
      max: 134_217_728,
      integer: true,
    }),
    stallTimeoutMs: duration('stallTimeoutMs'),
    idleTimeoutMs: duration('idleTimeoutMs'),
    commandTimeoutMs: readNumber('commandTimeoutMs', options.commandTimeoutMs, defaults.commandTimeoutMs, {
      min: 1,
      max: DURATION_MAX,
    }),
    drainMs: duration('drainMs'),
  });
}

/** The longest path of a unix socket on Linux. */
const PATH_BYTES = 107;

function listenOptions(options: SessionGatewayOptions): ResolvedSessionGatewayOptions['listen'] {
  const { path, host, port, socketMode } = options;
  if (path === undefined) {
    if (socketMode !== undefined) throw invalidOption('socketMode', 'given together with `path`', socketMode);
    return {
      host: readString('host', host, DEFAULT_GATEWAY_OPTIONS.host),
      port: readNumber('port', port, DEFAULT_GATEWAY_OPTIONS.port, { min: 0, max: 65_535, integer: true }),
    };
  }
  if (host !== undefined || port !== undefined)
    throw invalidOption('path', 'given without `host` and `port`', path);
  if (typeof path !== 'string' || !path.startsWith('/'))
    throw invalidOption('path', 'an absolute path', path);
  // Node would listen on the beginning of it (sockaddr_un), where PHP does not look.
  if (Buffer.byteLength(path) > PATH_BYTES)
    throw invalidOption('path', `a path of at most ${PATH_BYTES} bytes, as sockets have it`, path);
  const mode = readNumber('socketMode', socketMode, DEFAULT_GATEWAY_OPTIONS.socketMode, {
    min: 0,
    max: 0o777,
    integer: true,
  });
  return { path, mode };
}

function credentialsOf({
  username,
  password,
}: SessionGatewayOptions): ResolvedSessionGatewayOptions['credentials'] {
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined) throw invalidOption('username', 'given together with `password`', username);
  if (password === undefined) throw invalidOption('password', 'given together with `username`', password);
  return { username: readString('username', username, ''), password: readString('password', password, '') };
}
