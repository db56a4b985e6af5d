/** Makes connections to one node: the only place where mysql2 is called to connect. */
import { connect as connectSocket, isIP, type Socket } from 'node:net';
import mysql, { type ConnectionOptions, type SqlValue, type Timezone } from 'mysql2';
import type { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { invalidOption } from '../common/option-reader.js';
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import type { Flavor } from '../topology/node-description.js';
import { connectError } from './connect-error.js';
import type { MysqlNodeConfig } from './connection-options.js';
import { CurrentCredentials } from './current-credentials.js';
import { guardCast, type TypeCast } from './guarded-cast.js';
import { guardLocalFile } from './local-file.js';
import { logIn, timedOut } from './log-in.js';
import { followPacketOrder } from './packet-order.js';
import { PhysicalConnection, type PhysicalConnectionParts } from './physical-connection.js';
import type { ServerVersion } from './server-version.js';
import { type SessionSetup, sessionSetupSql, setUpError } from './session-setup.js';
import { refuseUnusable } from './unusable-charsets.js';

/** Makes connections to one node. */
export interface ConnectionFactory {
  /** The node. */
  readonly node: NodeId;
  /** The options that the connections are made with. */
  readonly config: MysqlNodeConfig;
  /**
   * A new connection, logged in and set up, at the latest at the deadline (and within `connectTimeout` in any case).
   *
   * Rejects with `ERR_NODE_UNREACHABLE`, `ERR_ACCESS_DENIED`, `ERR_PROTOCOL` or `ERR_ABORTED`, the driver's error as cause.
   */
  connect(deadline: Deadline): Promise<PhysicalConnection>;
  /** What in this process an attempt waits for now; undefined when it waits for the server. */
  waitingFor?(): string | undefined;
}

/** Default of `connectTimeout`, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Makes the factory of one node. Nothing is connected yet.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` for a character set that no connection can have.
 */
export function createConnectionFactory(config: MysqlNodeConfig): ConnectionFactory {
  const { seed, connection } = config;
  const setup: SessionSetup = {
    collation: collationOf(connection.charset),
    variables: config.session,
    ignoreSpace: connection.flags?.includes('-IGNORE_SPACE') !== true,
  };
  const limitMs = connection.connectTimeout ?? CONNECT_TIMEOUT_MS;
  const base = driverOptions(config);
  const account = new CurrentCredentials(config);
  return Object.freeze({
    node: seed.id,
    config,
    connect: (deadline: Deadline) => connect(config, base, setup, account, deadline.within(limitMs)),
    waitingFor: () => account.waitingFor,
  });
}

async function connect(
  config: MysqlNodeConfig,
  base: ConnectionOptions,
  setup: SessionSetup,
  account: CurrentCredentials,
  deadline: Deadline,
): Promise<PhysicalConnection> {
  const node = config.seed.id;
  const credentials = await account.ask(deadline);
  const user = credentials?.user ?? config.connection.user;
  try {
    const raw = mysql.createConnection({ ...base, ...credentials, ...guarded(base.typeCast) });
    followPacketOrder(raw);
    const version = await logIn(raw, deadline);
    return await setUp({ node, raw, login: credentials }, version, setup, deadline);
  } catch (error) {
    const late = isStormlampError(error, ErrorCode.TIMEOUT);
    const { accountOption } = config;
    throw connectError({ node, user, accountOption, error: late ? timedOut('greeted') : error });
  }
}

async function setUp(
  made: Pick<PhysicalConnectionParts, 'node' | 'raw' | 'login'>,
  version: ServerVersion,
  setup: SessionSetup,
  deadline: Deadline,
): Promise<PhysicalConnection> {
  const as = (flavor: Flavor): PhysicalConnection =>
    new PhysicalConnection({
      ...made,
      version: { ...version, flavor },
      setupSql: (hasOwnCharset) => sessionSetupSql(flavor, setup, hasOwnCharset),
    });
  const connection = as(version.flavor);
  // Sent together: one pass through the network less.
  const identified = connection.identify(deadline);
  try {
    await Promise.all([connection.setUp(deadline), identified]);
    return connection;
  } catch (error) {
    // A proxy in between may greet with the version of another family than that of the server behind it.
    const other = isUnknownTracker(error) ? as(version.flavor === 'mysql' ? 'mariadb' : 'mysql') : undefined;
    try {
      await other?.setUp(deadline);
      await other?.identify(deadline);
    } catch {
      connection.destroy();
      throw error;
    }
    if (other !== undefined) return other;
    connection.destroy();
    throw setUpError(made.node, version.flavor, setup, error);
  }
}

function isUnknownTracker(error: unknown): boolean {
  const { errno, message } = error as { errno?: unknown; message?: unknown };
  return errno === 1193 && /session_track/.test(String(message));
}

function driverOptions(config: MysqlNodeConfig): ConnectionOptions {
  const { seed, connection, name } = config;
  const { ssl, infileStreamFactory, ...rest } = connection;
  const { address } = seed;
  const where =
    address.socketPath === undefined
      ? { host: address.host, port: address.port }
      : { socketPath: address.socketPath };
  const tls = ssl === undefined || ssl === false ? {} : { ssl: tlsOptions(ssl) };
  // The limit of connecting is ours: the driver's does not know the deadline.
  const infile = { infileStreamFactory: guardLocalFile(infileStreamFactory) };
  const from = socketFrom(connection, where, name);
  return { ...rest, ...where, ...from, ...tls, ...infile, connectTimeout: 0 } as unknown as ConnectionOptions;
}

/** One per connection, which has one statement at a time. */
function guarded(typeCast: ConnectionOptions['typeCast']): Pick<ConnectionOptions, 'typeCast'> {
  return typeof typeCast === 'function'
    ? { typeCast: guardCast(typeCast as TypeCast) as typeof typeCast }
    : {};
}

/**
 * The driver declares `localAddress` and does not use it, and looks for `localhost` in the certificate of a server that is called by
 * its address: its socket is made here then, and like its own but for that.
 *
 * @param name what the certificate has to name instead of the address
 */
function socketFrom(
  { localAddress, enableKeepAlive, keepAliveInitialDelay, ssl }: MysqlNodeConfig['connection'],
  where: { readonly host?: string; readonly port?: number },
  name: string | undefined,
): { readonly stream?: () => Socket } {
  const { host, port } = where;
  if (host === undefined || port === undefined) return {};
  const mustName = typeof ssl === 'object' && ssl.verifyIdentity === true && isIP(host) !== 0;
  if (localAddress === undefined && !mustName) return {};
  const keepAlive = enableKeepAlive !== false;
  const delay = keepAliveInitialDelay ?? 0;
  const options = { host, port, localAddress, noDelay: true, keepAlive, keepAliveInitialDelay: delay };
  return {
    stream: () => {
      const socket = connectSocket(options);
      // Where Node's TLS looks for the name of the peer; it notes names there itself, and no addresses.
      return mustName ? Object.assign(socket, { _host: name ?? host }) : socket;
    },
  };
}

/** One object per factory: the driver changes it, and keeps what it parsed of it under its identity. */
function tlsOptions(ssl: object | string | true): object | string {
  if (ssl === true) return {};
  return typeof ssl === 'string' ? ssl : { ...ssl };
}

function collationOf(charset: string | undefined): string {
  const known = mysql.Charsets as unknown as Readonly<Record<string, number>>;
  const name = (charset ?? 'UTF8MB4_UNICODE_CI').toUpperCase();
  const number = Object.hasOwn(known, name) ? known[name] : undefined;
  if (number === undefined) {
    throw invalidOption('charset', "a character set or collation such as 'utf8mb4'", charset);
  }
  // A character set stands for its default collation, which is listed before the short names.
  const collation = (Object.keys(known).find((each) => known[each] === number) ?? name).toLowerCase();
  refuseUnusable(collation, charset);
  return collation;
}

/** The character set of a collation by its number, in lower case; undefined for one that the driver does not know. */
export function charsetOf(number: number): string | undefined {
  const known = mysql.Charsets as unknown as Readonly<Record<string, number>>;
  const name = Object.keys(known).find((each) => known[each] === number);
  return name?.split('_', 1)[0]?.toLowerCase();
}

/** A value as SQL text, as the driver writes it. */
export function escapeText(value: unknown, stringifyObjects: boolean, timezone: string): string {
  return mysql.escape(value as SqlValue, stringifyObjects, timezone as Timezone);
}

/** A name, or several, as SQL text. */
export function escapeIdText(name: string | string[]): string {
  return mysql.escapeId(name, false);
}

/** A text with its values put in for `?` and `??`. */
export function formatText(
  sql: string,
  values: unknown,
  stringifyObjects: boolean,
  timezone: string,
): string {
  return mysql.format(sql, values as SqlValue, stringifyObjects, timezone as Timezone);
}

/** Puts values into a text, by the rules of connections with some options. */
export type TextFormatter = (sql: string, values: unknown, namedPlaceholders: boolean | undefined) => string;

/** What a connection with these options makes of a text and its values before it sends them: `queryFormat`, names, and all. */
export function createFormatter(config: ConnectionOptions): TextFormatter {
  const formatter = formattingOf(config);
  return (sql, values, named) => formatter.format(sql, values, named);
}

/** Puts values by name into their order, by the rules of connections with some options. */
export type NameResolver = (
  sql: string,
  values: unknown,
  namedPlaceholders: boolean | undefined,
) => { readonly sql: string; readonly values?: unknown };

/** What a connection with these options makes of a text with named values before it prepares it. */
export function createNameResolver(config: ConnectionOptions): NameResolver {
  const formatter = formattingOf(config);
  return (sql, values, namedPlaceholders) => {
    const statement = { sql, values, namedPlaceholders };
    formatter._resolveNamedPlaceholders(statement);
    return statement;
  };
}

/** A connection of the driver that was never made, with all that its own formatting looks at. */
function formattingOf({
  queryFormat,
  namedPlaceholders,
  stringifyObjects,
  timezone,
}: ConnectionOptions): Formatting {
  const { prototype } = mysql.Connection as unknown as { readonly prototype: Formatting };
  const formatter: Formatting = Object.create(prototype);
  formatter.config = {
    queryFormat,
    namedPlaceholders,
    stringifyObjects: stringifyObjects ?? false,
    timezone: timezone ?? 'local',
  };
  return formatter;
}

interface Formatting {
  config: unknown;
  format(sql: string, values: unknown, namedPlaceholders: boolean | undefined): string;
  _resolveNamedPlaceholders(statement: object): void;
}
