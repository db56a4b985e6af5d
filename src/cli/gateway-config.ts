/** What `stormlamp gateway` is told: by flags, by the environment, by a configuration file, in this order. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CLUSTER_VARIABLES } from '../cluster-options.js';
import { invalidOption, rejectUnknownOptions } from '../common/option-reader.js';
import { describeError } from '../common/stormlamp-error.js';
import type { SessionGatewayOptions } from '../gateway/gateway-options.js';
import type { SessionOptions } from '../session/session-options.js';
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

interface FileOptions {
  readonly sessions?: SessionOptions;
  readonly gateway?: SessionGatewayOptions & { readonly nodeChange?: unknown };
}

type Flags = Readonly<Record<string, string | boolean | undefined>>;

/** Where the password for clients is: a flag would show it to everybody on the machine. */
const PASSWORD_VARIABLE = 'STORMLAMP_GATEWAY_PASSWORD';
const CONFIG_NAMES = ['stormlamp.config.mjs', 'stormlamp.config.js', 'stormlamp.config.json'];

/**
 * Puts the options together; their values are checked by whoever uses them. A file that has changed since is read anew.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the flag, the variable or the file.
 */
export async function gatewayConfig(
  flags: Flags,
  env: Readonly<Record<string, string | undefined>>,
  folder: string,
): Promise<GatewayConfig> {
  const path = configPath(flags['config'], folder);
  const file = path === undefined ? {} : await readConfig(path);
  const nodes = words(text(flags, 'nodes') ?? env[CLUSTER_VARIABLES.memcached]);
  const phpIni = text(flags, 'php-ini');
  const told = {
    ...(nodes.length === 0 ? {} : { nodes }),
    ...(phpIni === undefined ? {} : { phpIni }),
    ...given('handler', text(flags, 'handler')),
    ...given('prefix', text(flags, 'prefix')),
    ...given('copies', count(flags, 'copies')),
    ...given('acks', text(flags, 'acks')),
    ...given('keys', text(flags, 'keys')),
  };
  const sessions = { ...file.sessions, ...told } as SessionOptions;
  if (sessions.nodes === undefined && sessions.phpIni === undefined) {
    throw invalidOption(
      '--nodes',
      `given: no memcached nodes are named by --nodes, --php-ini, ${CLUSTER_VARIABLES.memcached} or a configuration file`,
      undefined,
    );
  }
  const { nodeChange, ...gateway } = file.gateway ?? {};
  return {
    sessions,
    gateway: { ...gateway, ...gatewayFlags(flags, env) },
    nodeChange: readNodeChange(nodeChange),
    file: path,
  };
}

function gatewayFlags(
  flags: Flags,
  env: Readonly<Record<string, string | undefined>>,
): SessionGatewayOptions {
  const username = text(flags, 'username');
  const password = env[PASSWORD_VARIABLE];
  if (username !== undefined && (password === undefined || password === '')) {
    throw invalidOption('--username', `given together with the variable ${PASSWORD_VARIABLE}`, username);
  }
  const [cert, key] = [text(flags, 'tls-cert'), text(flags, 'tls-key')];
  if ((cert === undefined) !== (key === undefined)) {
    throw invalidOption('--tls-key', 'given together with --tls-cert', key);
  }
  return {
    ...listenFlags(flags),
    ...given('maxConnections', count(flags, 'max-connections')),
    ...(username === undefined || password === undefined ? {} : { username, password }),
    ...(cert === undefined || key === undefined
      ? {}
      : { tls: { cert: optionFile('--tls-cert', cert), key: optionFile('--tls-key', key) } }),
  };
}

function listenFlags(flags: Flags): SessionGatewayOptions {
  const listen = text(flags, 'listen');
  const mode = text(flags, 'socket-mode');
  if (mode !== undefined && !/^[0-7]{3,4}$/.test(mode)) {
    throw invalidOption('--socket-mode', 'octal permissions like 660', mode);
  }
  const socketMode = given('socketMode', mode === undefined ? undefined : Number.parseInt(mode, 8));
  if (listen === undefined) return socketMode;
  if (listen.startsWith('/')) return { path: listen, ...socketMode };
  const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:/]+)):(\d{1,5})$/.exec(listen);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined)
    throw invalidOption(
      '--listen',
      "an address like '127.0.0.1:11311', or the path of a unix socket",
      listen,
    );
  return { host, port: Number(match?.[3]), ...socketMode };
}

function configPath(flag: string | boolean | undefined, folder: string): string | undefined {
  if (typeof flag === 'string') return resolve(folder, flag);
  return CONFIG_NAMES.map((name) => join(folder, name)).find((name) => existsSync(name));
}

async function readConfig(path: string): Promise<FileOptions> {
  const content = await load(path);
  // The file may configure more than the gateway: a whole cluster.
  rejectUnknownOptions(path, content, ['mysql', 'sessions', 'failover', 'cache', 'logger', 'gateway']);
  return content as FileOptions;
}

async function load(path: string): Promise<unknown> {
  try {
    if (path.endsWith('.json')) return JSON.parse(readFileSync(path, 'utf8')) as unknown;
    // By its date another module after each change: one of the same name is never read twice.
    const { href } = pathToFileURL(path);
    const module = (await import(`${href}?${statSync(path).mtimeMs}`)) as { readonly default?: unknown };
    return typeof module.default === 'function' ? await (module.default as () => unknown)() : module.default;
  } catch (error) {
    throw invalidOption('--config', `a file with options (${describeError(error)})`, path);
  }
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

function given<K extends string, V>(name: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [P in K]?: V });
}

function words(list: string | undefined): readonly string[] {
  return (list ?? '').split(/[\s,]+/).filter((word) => word !== '');
}
