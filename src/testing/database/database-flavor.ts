/** What differs between MariaDB and MySQL: arguments and statements, without doing anything. */
import type { LocalAccount, LocalAccounts } from './local-accounts.js';

/** Where a database node lives and what it is called. */
export interface DatabaseNodePlan {
  /** Its data folder. */
  readonly dataDir: string;
  /** A folder for temporary files. */
  readonly tmpDir: string;
  /** Its unix socket. */
  readonly socketPath: string;
  /** The file of statements that the server runs before it answers anybody. */
  readonly initFile: string;
  /** Its `server_id`. */
  readonly serverId: number;
  /** The address that clients know it by. */
  readonly reported: { readonly host: string; readonly port: number };
  /** Whether its configuration says `read_only`. */
  readonly readOnly: boolean;
  /** The port it listens on. */
  readonly port: number;
}

/** One kind of database server. */
export interface DatabaseFlavor {
  /** Its name. */
  readonly name: 'mariadb' | 'mysql';
  /** The server's arguments, without those that tell where its files are. */
  serverArgs(plan: DatabaseNodePlan): readonly string[];
  /** Whether a file of the data folder is removed before a start. */
  isDisposable(file: string): boolean;
  /** Statements, one a line, that every node runs at every start and that are not replicated. */
  initSql(accounts: LocalAccounts): readonly string[];
  /** Statements that the first primary runs once and that are replicated. */
  setupSql(accounts: LocalAccounts, database: string): readonly string[];
  /** Statements that make a node a replica of `source`. */
  followSql(source: { readonly host: string; readonly port: number }, repl: LocalAccount): readonly string[];
  /** Statements that make a node forget its source. */
  unfollowSql(): readonly string[];
  /** Statements that set `read_only`. */
  readOnlySql(readOnly: boolean): readonly string[];
  /** A query whose column `position` is what the node has executed. */
  positionSql(): string;
  /** A query whose column `reached` is 1 when the replica has executed `position` within `seconds`. */
  waitSql(position: string, seconds: number): string;
  /** A query that gives the state of replication in one row; no row: not a replica. */
  readonly statusSql: string;
  /** Why replication does not run, by that row; `undefined` when it runs. */
  replicationFailure(status: Readonly<Record<string, unknown>>): string | undefined;
  /** What the replica has received, executed or not, by that row. */
  retrievedPosition(status: Readonly<Record<string, unknown>>): string;
  /** Statements that stop receiving and leave executing alone. */
  stopReceivingSql(): readonly string[];
}

/** Arguments that both kinds take: fast instead of safe against power cuts, and quiet. */
export function sharedServerArgs(plan: DatabaseNodePlan): readonly string[] {
  return [
    `--datadir=${plan.dataDir}`,
    `--tmpdir=${plan.tmpDir}`,
    `--socket=${plan.socketPath}`,
    `--pid-file=${plan.tmpDir}/server.pid`,
    `--init-file=${plan.initFile}`,
    '--bind-address=127.0.0.1',
    `--port=${plan.port}`,
    `--server-id=${plan.serverId}`,
    `--report-host=${plan.reported.host}`,
    `--report-port=${plan.reported.port}`,
    `--read-only=${plan.readOnly ? 1 : 0}`,
    '--log-bin=binlog',
    '--binlog-format=ROW',
    '--skip-name-resolve',
    '--character-set-server=utf8mb4',
    '--sync-binlog=0',
    '--innodb-flush-log-at-trx-commit=2',
    '--innodb-buffer-pool-size=64M',
    '--max-connections=300',
  ];
}
