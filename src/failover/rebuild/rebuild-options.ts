/** What the ready rebuild hooks need to be told. */
import { Deadline } from '../../common/deadline.js';
import { type NodeAddress, type NodeId, parseNodeAddress } from '../../common/node-address.js';
import { invalidOption, readString, readStrings, rejectUnknownOptions } from '../../common/option-reader.js';
import { createConnectionFactory } from '../../mysql/connection-factory.js';
import { forAdministration, type MysqlNodeOptions, parseMysqlNode } from '../../mysql/connection-options.js';
import type { CredentialsSource, MysqlCredentials } from '../../mysql/connection-settings.js';
import type { StatusRow } from '../../mysql/replica-status.js';
import type { ServerVersion } from '../../mysql/server-version.js';

/**
 * The client programs that a rebuild runs; each a program and arguments of yours, such as `['mariadb-dump', '--ssl']`, also behind a
 * program that starts it, as `['nice', '-n', '5', 'mariadb-dump']`. The file with the login comes right behind the word that is the
 * name of a client program of MariaDB or MySQL, or behind the first word when none is.
 */
export interface RebuildPrograms {
  /** Dumps databases. Default `['mariadb-dump']`. */
  readonly dump?: readonly string[] | undefined;
  /** Executes SQL that it reads. Default `['mariadb']`. */
  readonly client?: readonly string[] | undefined;
  /** Reads binary logs. Default `['mariadb-binlog']` or `['mysqlbinlog']`. */
  readonly binlog?: readonly string[] | undefined;
}

/** Options of the ready rebuild hooks. */
export interface RebuildOptions {
  /** The account that changes servers, as `failover.credentials`; it needs more privileges, which are in docs/failover.md. */
  readonly credentials: MysqlCredentials | CredentialsSource;
  /**
   * A folder in which the transactions that only the node has are saved as SQL before anything is thrown away; made when it is not
   * there. Without one, a node that has such transactions is not rebuilt.
   */
  readonly saveTo?: string | undefined;
  /** Where the node finds the one that it copies, as `host:port` by node id, when that is not where this process does. */
  readonly addresses?: Readonly<Record<NodeId, string>> | undefined;
  /** More about the connections of this process, as in `mysql.primary`: `ssl`, for one. */
  readonly connection?: Omit<MysqlNodeOptions, 'host' | 'port'> | undefined;
  /** The programs to run. */
  readonly programs?: RebuildPrograms | undefined;
}

/** Checked options, and connections made from them. */
export interface RebuildMeans {
  readonly saveTo: string | undefined;
  readonly programs: RebuildPrograms;
  /** The account. */
  login(): Promise<MysqlCredentials>;
  /** Where the other servers find a node. */
  addressOf(node: NodeId): { readonly host: string; readonly port: number };
  /** A session on `node`; ended by `signal`, too. */
  open(node: NodeId, signal: AbortSignal): Promise<RebuildSession>;
}

/** A session on a server that is rebuilt, or copied. */
export interface RebuildSession {
  readonly version: ServerVersion;
  /** Executes a statement, however long it takes. */
  ask(sql: string): Promise<readonly StatusRow[]>;
  /** Ends the session. */
  close(): void;
}

const CONNECT_MS = 5_000;
const NAMES = ['credentials', 'saveTo', 'addresses', 'connection', 'programs'];
const PROGRAMS = ['dump', 'client', 'binlog'] as const;

/** Checks the options. Throws `ERR_INVALID_OPTION`. `more` are names that the hook has besides. */
export function readRebuildOptions(
  path: string,
  options: RebuildOptions,
  more: readonly string[] = [],
): RebuildMeans {
  rejectUnknownOptions(path, options, [...NAMES, ...more]);
  const { credentials, saveTo, addresses = {}, connection = {}, programs = {} } = options;
  const given: unknown = credentials;
  if (typeof given !== 'function' && (typeof given !== 'object' || given === null))
    throw invalidOption(`${path}.credentials`, 'an account `{ user, password }` or a function', given);
  rejectUnknownOptions(`${path}.programs`, programs, PROGRAMS);
  for (const name of PROGRAMS) {
    if (readStrings(`${path}.programs.${name}`, programs[name], ['-']).length === 0)
      throw invalidOption(`${path}.programs.${name}`, 'a program and its arguments', programs[name]);
  }
  const known = new Map(
    Object.entries(addresses).map(([node, text]) => [node, read(`${path}.addresses`, text)] as const),
  );
  return {
    saveTo: saveTo === undefined ? undefined : readString(`${path}.saveTo`, saveTo, ''),
    programs,
    login: async () => (typeof credentials === 'function' ? await credentials() : credentials),
    addressOf: (node) => {
      const { host = 'localhost', port = 3306 } = known.get(node) ?? read('node', node);
      return { host, port };
    },
    open: async (node, signal) => {
      const config = parseMysqlNode(
        'node',
        { ...connection, ...read('node', node) } as MysqlNodeOptions,
        'any',
      );
      const factory = createConnectionFactory(forAdministration(config, credentials, 'failover.credentials'));
      const opened = await factory.connect(Deadline.of({ timeoutMs: CONNECT_MS, signal }));
      const ask = (sql: string): Promise<readonly StatusRow[]> => opened.ask(sql, Deadline.of({ signal }));
      // A rebuild may take hours, most of them without a statement; literals are to mean the same everywhere.
      await ask("SET SESSION sql_mode='', SESSION wait_timeout=604800");
      return { version: opened.version, ask, close: () => opened.destroy() };
    },
  };
}

function read(path: string, text: string): NodeAddress {
  return parseNodeAddress(path, text, 3306);
}

/** A text as a literal of the sessions that {@link RebuildMeans.open} makes. */
export function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''").replaceAll('\0', '')}'`;
}
