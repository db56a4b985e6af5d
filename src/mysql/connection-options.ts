/** Reads a database node from a URL or from an options object. Messages never show a password. */
import { type NodeAddress, nodeIdOf, parseNodeAddress } from '../common/node-address.js';
import { invalidOption, readNumber, readString, rejectUnknownOptions } from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { ConfiguredRole, NodeSeed } from '../topology/node-description.js';
import {
  CONNECTION_SETTING_NAMES,
  type CredentialsSource,
  checkConnectionSetting,
  isConnectionSetting,
  type MysqlConnectionSettings,
  type MysqlCredentials,
  type SessionValue,
  settingFromText,
} from './connection-settings.js';
import { refuseDriverOptions } from './driver-option-hints.js';

/** A database node: where it listens, how to log in, and how it takes part. */
export interface MysqlNodeOptions extends MysqlConnectionSettings {
  /** A URL to start from; the other options win over it. */
  readonly url?: string;
  /** Name or IP address of the server. Default `'localhost'`. */
  readonly host?: string;
  /** TCP port of the server. Default 3306. */
  readonly port?: number;
  /** Path of a unix socket to use instead of host and port. */
  readonly socketPath?: string;
  /** Gives user and password before every new connection, in place of `user` and `password`. */
  readonly credentials?: CredentialsSource;
  /** Session variables that every connection shall have, for example `{ time_zone: '+00:00' }`. */
  readonly session?: Readonly<Record<string, SessionValue>>;
  /** Share of reads relative to the other nodes. Default 1; 0 takes reads only when no other node can. */
  readonly weight?: number;
  /** The zone that the server stands in. */
  readonly zone?: string;
}

/** A database node after its options were read. */
export interface MysqlNodeConfig {
  /** Its place in the topology. */
  readonly seed: NodeSeed;
  /** What the driver gets besides the address. */
  readonly connection: MysqlConnectionSettings;
  /** Session variables that every connection gets. */
  readonly session: Readonly<Record<string, SessionValue>>;
  /** Gives user and password before every new connection. */
  readonly credentials?: CredentialsSource | undefined;
  /** The option that its account is from, when that is not the node's own. */
  readonly accountOption?: string | undefined;
  /** Whether the host is a service (`mysql+srv:`) whose servers the DNS names. */
  readonly service?: boolean | undefined;
  /** The name that stands for its address, where that is one of several: what its certificate has to name. */
  readonly name?: string | undefined;
}

/** The port of MySQL and MariaDB. */
const DEFAULT_MYSQL_PORT = 3306;

const OWN_NAMES = ['url', 'host', 'port', 'socketPath', 'credentials', 'session', 'weight', 'zone'] as const;
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/**
 * Reads a node. A URL looks like `mysql://user:password@host:port/database?option=value`: user, password and database are
 * percent-encoded, an IPv6 host is in brackets, `socketPath`, `weight`, `zone`, `session.<variable>` and all connection
 * settings may follow as options. `mysql+srv://user:password@domain/database` names a service: its servers are those of the
 * record `_mysql._tcp.domain`.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming `path`.
 */
export function parseMysqlNode(
  path: string,
  value: string | MysqlNodeOptions,
  configuredRole: ConfiguredRole,
): MysqlNodeConfig {
  const service = isService(value);
  if (typeof value === 'string') return { ...configOf(path, fromUrl(path, value), configuredRole), service };
  if (typeof value === 'object' && value !== null) refuseDriverOptions(path, Object.keys(value));
  rejectUnknownOptions(path, value, [...OWN_NAMES, ...CONNECTION_SETTING_NAMES]);
  const { url, ...rest } = value;
  if (url === undefined) return configOf(path, rest, configuredRole);
  const base = fromUrl(`${path}.url`, readString(`${path}.url`, url, ''));
  const given = Object.fromEntries(Object.entries(rest).filter(([, option]) => option !== undefined));
  const session = { ...base.session, ...(rest.session === undefined ? {} : sessionOf(path, rest.session)) };
  return { ...configOf(path, { ...base, ...given, session }, configuredRole), service };
}

function isService(value: string | MysqlNodeOptions): boolean {
  const url: unknown = typeof value === 'object' && value !== null ? value.url : value;
  return typeof url === 'string' && url.startsWith('mysql+srv:');
}

/** The same node with another account. */
export function withCredentials(
  config: MysqlNodeConfig,
  credentials: MysqlCredentials | CredentialsSource,
): MysqlNodeConfig {
  if (typeof credentials === 'function') return { ...config, credentials };
  const { user, password } = credentials;
  return { ...config, credentials: undefined, connection: { ...config.connection, user, password } };
}

/** The settings that matter for reaching a server; how an application wants its values does not. */
const NETWORK_SETTINGS = [
  'user',
  'password',
  'password2',
  'password3',
  'localAddress',
  'ssl',
  'connectTimeout',
  'enableKeepAlive',
  'keepAliveInitialDelay',
  'enableCleartextPlugin',
] as const satisfies readonly (keyof MysqlConnectionSettings)[];

/**
 * The same node for connections that look at the server and not at data: no database (which the account need not be allowed to
 * use), none of the application's conversions and session variables, and another account if given, with the option that names it.
 */
export function forAdministration(
  config: MysqlNodeConfig,
  credentials?: MysqlCredentials | CredentialsSource,
  accountOption = 'mysql.monitor.credentials',
): MysqlNodeConfig {
  const chosen =
    credentials === undefined ? config : { ...withCredentials(config, credentials), accountOption };
  const entries = NETWORK_SETTINGS.map((name) => [name, chosen.connection[name]] as const);
  const connection = Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  return {
    ...chosen,
    connection: { ...connection, connectAttributes: { program_name: 'stormlamp' } },
    session: {},
  };
}

function configOf(path: string, options: MysqlNodeOptions, configuredRole: ConfiguredRole): MysqlNodeConfig {
  const address = addressOf(path, options);
  const zone = options.zone === undefined ? undefined : readString(`${path}.zone`, options.zone, '');
  const seed: NodeSeed = {
    id: nodeIdOf(address),
    address,
    configuredRole,
    weight: readNumber(`${path}.weight`, options.weight, 1, { min: 0 }),
    zone,
  };
  const connection: Record<string, unknown> = {};
  for (const name of CONNECTION_SETTING_NAMES) {
    if (options[name] === undefined) continue;
    checkConnectionSetting(`${path}.${name}`, name, options[name]);
    connection[name] = options[name];
  }
  const { credentials } = options;
  if (credentials !== undefined && typeof credentials !== 'function') {
    throw invalidOption(`${path}.credentials`, 'a function', credentials);
  }
  return {
    seed: Object.freeze(seed),
    connection: Object.freeze(connection),
    session: options.session === undefined ? {} : sessionOf(path, options.session),
    credentials,
  };
}

function addressOf(path: string, options: MysqlNodeOptions): NodeAddress {
  const { socketPath } = options;
  if (socketPath !== undefined) {
    if (typeof socketPath === 'string' && socketPath.startsWith('/')) return { socketPath };
    throw invalidOption(`${path}.socketPath`, 'an absolute path', socketPath);
  }
  const host = readString(`${path}.host`, options.host, 'localhost');
  const port = readNumber(`${path}.port`, options.port, DEFAULT_MYSQL_PORT, {
    min: 1,
    max: 65_535,
    integer: true,
  });
  return parseNodeAddress(`${path}.host`, host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`, port);
}

function sessionOf(path: string, session: unknown): Readonly<Record<string, SessionValue>> {
  if (typeof session !== 'object' || session === null || Array.isArray(session)) {
    throw invalidOption(`${path}.session`, 'an object', session);
  }
  for (const [name, value] of Object.entries(session)) {
    if (!VARIABLE_NAME.test(name))
      throw invalidOption(`${path}.session`, 'named like session variables', name);
    const type = typeof value;
    if (type !== 'string' && type !== 'boolean' && !(type === 'number' && Number.isFinite(value))) {
      throw invalidOption(`${path}.session.${name}`, 'a string, a finite number or a boolean', value);
    }
    if (name.toLowerCase() === 'autocommit' && !/^(1|on|true)$/i.test(String(value))) {
      const expected = 'on; a connection that wants it off says `SET autocommit = 0` after it was taken';
      throw invalidOption(`${path}.session.${name}`, expected, value);
    }
  }
  return Object.freeze({ ...(session as Record<string, SessionValue>) });
}

function fromUrl(path: string, text: string): MysqlNodeOptions {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !PROTOCOLS.includes(url.protocol) || url.host === '') {
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      `Expected \`${path}\` to be a URL like 'mysql://user:password@host:3306/database', got ${withoutSecrets(text)}; ` +
        'characters such as # / ? @ : % in user and password must be percent-encoded',
    );
  }
  refuseDriverOptions(path, url.searchParams.keys());
  const options: Record<string, unknown> = {};
  const session: Record<string, SessionValue> = {};
  const host = decoded(path, url.hostname).replace(/^\[|\]$/g, '');
  if (host.startsWith('/')) options['socketPath'] = host;
  else options['host'] = host;
  if (url.port !== '') options['port'] = Number(url.port);
  if (url.username !== '') options['user'] = decoded(path, url.username);
  if (url.password !== '') options['password'] = decoded(path, url.password);
  const database = decoded(path, url.pathname.replace(/^\//, ''));
  if (database !== '') options['database'] = database;
  for (const [name, value] of url.searchParams) {
    // A plus stands for a blank in a query string, but nobody writes a blank into an offset.
    const plain = value.replace(/^ (?=\d\d:\d\d$)/, '+');
    if (name.startsWith('session.')) session[name.slice('session.'.length)] = plain;
    else if (isConnectionSetting(name)) options[name] = settingFromText(`${path}?${name}`, name, plain);
    else if (name === 'weight') options[name] = Number(value);
    else if (name === 'zone' || name === 'socketPath') options[name] = value;
    else rejectUnknownOptions(path, { [name]: value }, URL_OPTION_NAMES);
  }
  return { ...options, session };
}

/** The last one names a service, whose servers the DNS tells. */
const PROTOCOLS: readonly string[] = ['mysql:', 'mariadb:', 'mysql+srv:'];

const URL_OPTION_NAMES: readonly string[] = ['weight', 'zone', 'socketPath', ...CONNECTION_SETTING_NAMES];

function decoded(path: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      `\`${path}\` is a URL with a % that is not followed by two hexadecimal digits; write %25 for a percent sign`,
    );
  }
}

/** What can be shown of a text that could hold a password anywhere. */
function withoutSecrets(text: string): string {
  const scheme = /^[a-z][a-z0-9+.-]{0,15}:\/\//i.exec(text)?.[0];
  const size = `${text.length} characters`;
  return scheme === undefined ? `a text of ${size}` : `a text of ${size} that begins with '${scheme}'`;
}
