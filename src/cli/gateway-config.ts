/** What `stormlamp gateway` is told: by flags, then as every command, by the configuration file and the environment. */
import { readFileSync } from 'node:fs';
import type { TlsOptions } from 'node:tls';
import { CLUSTER_VARIABLES } from '../cluster-options.js';
import { invalidOption, rejectUnknownOptions } from '../common/option-reader.js';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { SessionGatewayOptions } from '../gateway/gateway-options.js';
import type { SessionOptions } from '../session/session-options.js';
import { findConfig } from './config-file.js';
import { type GatewayNodeChange, readNodeChange } from './gateway-nodes.js';

/** The options of the store and of the gateway. */
export interface GatewayConfig {
  /** As `createSessionStore` takes them. */
  readonly sessions: SessionOptions;
  /** As `startSessionGateway` takes them. */
  readonly gateway: SessionGatewayOptions;
  /** The change of the nodes that is under way; undefined for none. */
  readonly nodeChange: GatewayNodeChange | undefined;
  /** The configuration file; undefined for none. */
  readonly file: string | undefined;
}

type FileOptions = SessionGatewayOptions & { readonly nodeChange?: unknown };

type Flags = Readonly<Record<string, string | boolean | undefined>>;

/** Where the password for clients is: a flag would show it to everybody on the machine. */
const PASSWORD_VARIABLE = 'STORMLAMP_GATEWAY_PASSWORD';

/**
 * Puts the options together; their values are checked by whoever uses them. A file that has changed since is read anew.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the flag, the variable or the file.
 */
export async function gatewayConfig(
  flags: Flags,
  env: Readonly<Record<string, string | undefined>>,
  folder: string,
  limitMs?: number,
): Promise<GatewayConfig> {
  const { options, gateway: given, file } = await findConfig(text(flags, 'config'), env, folder, limitMs);
  if (file !== undefined)
    rejectUnknownOptions(file, options, ['mysql', 'sessions', 'failover', 'cache', 'logger']);
  const nodes = words(text(flags, 'nodes'));
  const phpIni = text(flags, 'php-ini');
  const told = {
    ...(nodes.length === 0 ? {} : { nodes }),
    ...(phpIni === undefined ? {} : { phpIni }),
    ...flag('handler', text(flags, 'handler')),
    ...flag('prefix', text(flags, 'prefix')),
    ...flag('copies', count(flags, 'copies')),
    ...flag('acks', text(flags, 'acks')),
    ...flag('keys', text(flags, 'keys')),
  };
  const sessions = { ...options.sessions, ...told } as SessionOptions;
  if (sessions.nodes === undefined && sessions.phpIni === undefined) {
    throw invalidOption(
      '--nodes',
      `given: no memcached nodes are named by --nodes, --php-ini, ${CLUSTER_VARIABLES.memcached} or a configuration file`,
      undefined,
    );
  }
  const { nodeChange, ...gateway } = (given ?? {}) as FileOptions;
  return {
    sessions,
    gateway: withFlags(gateway, flags, env),
    nodeChange: readNodeChange(nodeChange),
    file,
  };
}

function withFlags(
  file: SessionGatewayOptions,
  flags: Flags,
  env: Readonly<Record<string, string | undefined>>,
): SessionGatewayOptions {
  const [cert, key] = [text(flags, 'tls-cert'), text(flags, 'tls-key')];
  if ((cert === undefined) !== (key === undefined)) {
    throw invalidOption('--tls-key', 'given together with --tls-cert', key);
  }
  const place = listenFlags(flags);
  return {
    ...withoutPlace(file, place),
    ...place,
    ...flag('maxConnections', count(flags, 'max-connections')),
    ...login(file, flags, env),
    ...(cert === undefined || key === undefined ? {} : { tls: tlsWith(file.tls, cert, key) }),
  };
}

/** What the file says of TLS, as which clients are let in, with another certificate and its key. */
function tlsWith(file: TlsOptions | undefined, cert: string, key: string): TlsOptions {
  // What is wrong with it is told by whoever takes the options.
  if (file !== undefined && (typeof file !== 'object' || file === null)) return file;
  const { pfx: _pfx, privateKeyIdentifier: _identifier, privateKeyEngine: _engine, ...others } = file ?? {};
  return { ...others, cert: optionFile('--tls-cert', cert), key: optionFile('--tls-key', key) };
}

/** What the file says but for where to listen, when `place` says that. */
function withoutPlace(file: SessionGatewayOptions, place: SessionGatewayOptions): SessionGatewayOptions {
  if (place.path === undefined && place.port === undefined) return file;
  const { host: _host, port: _port, path: _path, socketMode, ...others } = file;
  return place.path === undefined ? others : { ...others, ...flag('socketMode', socketMode) };
}

/** The user name is a flag or in the file; its password is in the environment or in the file. */
function login(
  file: SessionGatewayOptions,
  flags: Flags,
  env: Readonly<Record<string, string | undefined>>,
): SessionGatewayOptions {
  const named = text(flags, 'username');
  const username = named ?? file.username;
  const variable = env[PASSWORD_VARIABLE] === '' ? undefined : env[PASSWORD_VARIABLE];
  // Somebody who sets it wants a login: without one every client would be let in.
  if (username === undefined && variable !== undefined) {
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      `The variable \`${PASSWORD_VARIABLE}\` is set, but no user name that clients log in with: give \`--username\`, or \`username\` under \`gateway\` in the file, or unset the variable`,
    );
  }
  // What stands in the file beside another user name is not the password of the one on the command line.
  const password = named === undefined ? (file.password ?? variable) : (variable ?? file.password);
  if (username !== undefined && password === undefined) {
    const where = named === undefined ? 'gateway.username' : '--username';
    throw invalidOption(where, `given together with the variable ${PASSWORD_VARIABLE}`, username);
  }
  return { ...flag('username', username), ...flag('password', password) };
}

function listenFlags(flags: Flags): SessionGatewayOptions {
  const listen = text(flags, 'listen');
  const mode = text(flags, 'socket-mode');
  if (mode !== undefined && !/^[0-7]{3,4}$/.test(mode)) {
    throw invalidOption('--socket-mode', 'octal permissions like 660', mode);
  }
  const socketMode = flag('socketMode', mode === undefined ? undefined : Number.parseInt(mode, 8));
  if (listen === undefined) return socketMode;
  // PHP's own ways to write a socket, with and without a scheme.
  const path = listen.replace(/^unix:(?:\/\/)?(?=\/)/, '');
  if (path.startsWith('/')) return { path, ...socketMode };
  const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:/]+)):(\d{1,5})$/.exec(listen);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined)
    throw invalidOption(
      '--listen',
      "an address like '127.0.0.1:11311', or the absolute path of a unix socket",
      listen,
    );
  const port = Number(match?.[3]);
  if (port > 65_535) throw invalidOption('--listen', 'an address with a port of at most 65535', listen);
  return { host, port, ...socketMode };
}

function optionFile(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw invalidOption(option, `a file that can be read (${describeError(error)})`, path);
  }
}

function text(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
}

function count(flags: Flags, name: string): number | undefined {
  const value = text(flags, name);
  if (value === undefined) return undefined;
  if (!/^\d{1,9}$/.test(value)) throw invalidOption(`--${name}`, 'a whole number', value);
  return Number(value);
}

function flag<K extends string, V>(name: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [P in K]?: V });
}

function words(list: string | undefined): readonly string[] {
  return (list ?? '').split(/[\s,]+/).filter((word) => word !== '');
}
