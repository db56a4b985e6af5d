/** Everything about one server that a change of the primary depends on, read from the server itself at one moment. */
import type { NodeId } from '../../common/node-address.js';
import { readReplicaStatus, replicaStatusStatements, type StatusRow } from '../../mysql/replica-status.js';
import type { ServerVersion } from '../../mysql/server-version.js';
import type { ReplicationChannel } from '../../topology/node-description.js';
import { GRANTS_SQL, grantsOf, lackingForEvents, lackingPrivileges, namesOf } from './account-privileges.js';
import { logPlaceOf } from './log-place.js';
import type { ScheduledEvent } from './scheduled-events.js';
import {
  isWithin,
  NO_TRANSACTIONS,
  readTransactions,
  type TransactionSet,
  unionOf,
} from './transaction-set.js';

/** How the server numbers its transactions. */
export type Numbering = 'mysql-gtid' | 'mariadb-gtid' | 'file-position';

/** A server as it was found. */
export interface NodeSurvey {
  /** The server. */
  readonly node: NodeId;
  /** Its version. */
  readonly version: ServerVersion;
  /** How it numbers its transactions. */
  readonly numbering: Numbering;
  /** Its variables by lower-case name, as far as they exist. */
  readonly variables: ReadonlyMap<string, string>;
  /** Whether it refuses the writes of ordinary users. */
  readonly readOnly: boolean;
  /** Its replication channels. */
  readonly channels: readonly ReplicationChannel[];
  /** The status row of its only channel; undefined when it has none or several. */
  readonly status: StatusRow | undefined;
  /** What it has executed, as the server writes it. */
  readonly executedText: string;
  /** What it has executed. */
  readonly executed: TransactionSet;
  /** What it has executed or received; without GTIDs, its place in its source's log stands for what it has received. */
  readonly reached: TransactionSet;
  /** What it has received and not executed yet is the only copy there may be: its relay log must not be thrown away. */
  readonly hasUnapplied: boolean;
  /** Its place in its own binary log. */
  readonly binlog: { readonly file: string; readonly position: number } | undefined;
  /** What keeps writes out of its binary log, as `binlog_ignore_db: tmp`; undefined when it logs all of them. */
  readonly logFilters: string | undefined;
  /** Seconds since it was started. */
  readonly uptimeS: number;
  /** Replicas that are connected to it and told it that they acknowledge, whether commits wait for that or not. */
  readonly acknowledgers: number;
  /** Privileges for a change that the account which looked lacks: the change would stop where they are needed. */
  readonly lacking: readonly string[];
  /** Whether it has a certificate, so that replicas can receive encrypted. */
  readonly offersTls: boolean;
  /** The scheduled events that the account may see; undefined where nobody knows: they were not asked for, or could not be read. */
  readonly events: readonly ScheduledEvent[] | undefined;
  /** Privileges that it lacks to alter them. */
  readonly eventsLacking: readonly string[];
}

/** Sends a statement to the server and gives its rows. */
export type Ask = (sql: string) => Promise<readonly StatusRow[]>;

const VARIABLES = [
  'server_id',
  'server_uuid',
  'read_only',
  'super_read_only',
  'log_bin',
  'log_slave_updates',
  'log_replica_updates',
  'binlog_format',
  'sync_binlog',
  'innodb_flush_log_at_trx_commit',
  'gtid_mode',
  'enforce_gtid_consistency',
  'gtid_strict_mode',
  'gtid_current_pos',
  'gtid_binlog_state',
  'gtid_slave_pos',
  'gtid_executed',
  'gtid_purged',
  'slave_net_timeout',
  'replica_net_timeout',
  'slave_skip_errors',
  'replica_skip_errors',
  'relay_log_purge',
  'replica_preserve_commit_order',
  'slave_preserve_commit_order',
  'replica_parallel_workers',
  'slave_parallel_workers',
  'event_scheduler',
  'have_ssl',
  'ssl_ca',
  'ssl_capath',
  'ssl_cert',
  'ssl_key',
  'ssl_crl',
  'ssl_crlpath',
  'datadir',
  'wsrep_on',
  'group_replication_group_name',
  'rpl_semi_sync_master_enabled',
  'rpl_semi_sync_source_enabled',
  'rpl_semi_sync_slave_enabled',
  'rpl_semi_sync_replica_enabled',
  'rpl_semi_sync_master_wait_point',
  'rpl_semi_sync_source_wait_point',
  'rpl_semi_sync_master_timeout',
  'rpl_semi_sync_source_timeout',
  'rpl_semi_sync_master_wait_no_slave',
  'rpl_semi_sync_source_wait_no_replica',
  'rpl_semi_sync_master_wait_for_slave_count',
  'rpl_semi_sync_source_wait_for_replica_count',
];

const STATUS_SQL =
  "SHOW GLOBAL STATUS WHERE Variable_name IN ('Uptime', 'Rpl_semi_sync_master_clients', 'Rpl_semi_sync_source_clients', 'Ssl_server_not_after')";
const VARIABLES_SQL = `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${VARIABLES.map((name) => `'${name}'`).join(', ')})`;

/** Looks at a server. Rejects with the server's error. */
export async function surveyNode(
  node: NodeId,
  version: ServerVersion,
  ask: Ask,
  withLog = true,
): Promise<NodeSurvey> {
  const [rows, statusRows, statuses, grants] = await Promise.all([
    ask(VARIABLES_SQL),
    ask(replicaStatusStatements(version)[0]),
    ask(STATUS_SQL),
    ask(GRANTS_SQL),
  ]);
  const variables = new Map(
    rows.map((row) => [
      String(row['Variable_name']).toLowerCase(),
      String(row['Value'] ?? '').replaceAll('\n', ''),
    ]),
  );
  const granted = grantsOf(grants);
  const log = withLog && isOn(variables.get('log_bin')) ? await logStatusOf(version, ask) : undefined;
  return describeNode({
    node,
    version,
    variables,
    statusRows,
    binlog: log === undefined ? undefined : { file: String(log['File']), position: Number(log['Position']) },
    logFilters: logFiltersOf(log),
    uptimeS: countIn(statuses, /^uptime$/i),
    acknowledgers: countIn(statuses, /_clients$/i),
    lacking: namesOf(lackingPrivileges(version, granted, 'change')),
    // MySQL 8.4 and later have no such variable, and tell the end of their certificate to everybody.
    offersTls:
      (variables.get('have_ssl') ?? (valueIn(statuses, 'Ssl_server_not_after') ? 'YES' : 'NO')) === 'YES',
    eventsLacking: lackingForEvents(version, granted),
  });
}

/** What was read, as one value; pure. */
export function describeNode(read: {
  readonly node: NodeId;
  readonly version: ServerVersion;
  readonly variables: ReadonlyMap<string, string>;
  readonly statusRows: readonly StatusRow[];
  readonly binlog: NodeSurvey['binlog'];
  readonly logFilters?: string | undefined;
  readonly uptimeS: number;
  readonly acknowledgers?: number | undefined;
  readonly lacking?: readonly string[] | undefined;
  readonly offersTls?: boolean | undefined;
  readonly events?: readonly ScheduledEvent[] | undefined;
  readonly eventsLacking?: readonly string[] | undefined;
}): NodeSurvey {
  const { node, version, variables, statusRows, binlog, logFilters, uptimeS } = read;
  const { acknowledgers = 0, lacking = [], offersTls = false, events, eventsLacking = [] } = read;
  const { flavor } = version;
  const channels = readReplicaStatus(statusRows, flavor);
  const status = channels.length === 1 ? statusRows[0] : undefined;
  const numbering = numberingOf(version, variables, channels.length > 0 ? status : undefined);
  const executedText =
    flavor === 'mysql'
      ? (variables.get('gtid_executed') ?? '').replace(/\s/g, '')
      : (variables.get('gtid_current_pos') ?? '');
  // The position of a replica, and of a copy that was never one, is in no log of its own.
  const texts =
    flavor === 'mysql'
      ? [executedText]
      : [variables.get('gtid_binlog_state') ?? '', executedText, variables.get('gtid_slave_pos') ?? ''];
  const executed = texts
    .map((text) => readTransactions(flavor, text) ?? NO_TRANSACTIONS)
    .reduce(unionOf, NO_TRANSACTIONS);
  const received = readTransactions(flavor, receivedOf(status)) ?? NO_TRANSACTIONS;
  return {
    node,
    version,
    numbering,
    variables,
    readOnly: isOn(variables.get('read_only')) || isOn(variables.get('super_read_only')),
    channels,
    status,
    executedText,
    executed,
    reached: unionOf(
      unionOf(executed, received),
      numbering === 'file-position' ? logPlaceOf(channels[0], status) : NO_TRANSACTIONS,
    ),
    hasUnapplied: status !== undefined && hasUnapplied(status, numbering, executed, received),
    binlog,
    logFilters,
    uptimeS,
    acknowledgers,
    lacking,
    offersTls,
    events,
    eventsLacking,
  };
}

function valueIn(rows: readonly StatusRow[], name: string): string | undefined {
  const row = rows.find((each) => each['Variable_name'] === name);
  return row === undefined ? undefined : String(row['Value'] ?? '');
}

/** The value of the first of `names` that the server has. */
export function variableOf(survey: NodeSurvey, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = survey.variables.get(name);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** What marks the transactions that a server writes: its `server_uuid`, or on MariaDB its `server_id`. */
export function idOf(survey: NodeSurvey | undefined): string | undefined {
  return survey?.version.flavor === 'mysql'
    ? survey.variables.get('server_uuid')?.toLowerCase()
    : survey?.variables.get('server_id');
}

/** Whether a variable's text means yes. */
export function isOn(value: string | undefined): boolean {
  return value !== undefined && !['0', 'off', 'no', 'false', ''].includes(value.toLowerCase());
}

/** What a replica has received by GTID, as its status tells; '' without. */
export function receivedOf(status: StatusRow | undefined): string {
  return String(status?.['Retrieved_Gtid_Set'] ?? status?.['Gtid_IO_Pos'] ?? '').replace(/\s/g, '');
}

function countIn(rows: readonly StatusRow[], name: RegExp): number {
  return Number(rows.find((row) => name.test(String(row['Variable_name'])))?.['Value'] ?? 0);
}

function hasUnapplied(
  status: StatusRow,
  numbering: Numbering,
  executed: TransactionSet,
  received: TransactionSet,
): boolean {
  // A worker may have executed what came later than something that another one has not.
  if (numbering !== 'file-position') return !isWithin(received, executed);
  const readFile = status['Source_Log_File'] ?? status['Master_Log_File'];
  const readPosition = status['Read_Source_Log_Pos'] ?? status['Read_Master_Log_Pos'];
  const doneFile = status['Relay_Source_Log_File'] ?? status['Relay_Master_Log_File'];
  const donePosition = status['Exec_Source_Log_Pos'] ?? status['Exec_Master_Log_Pos'];
  return readFile !== doneFile || Number(readPosition) !== Number(donePosition);
}

function numberingOf(
  { flavor }: ServerVersion,
  variables: ReadonlyMap<string, string>,
  status: StatusRow | undefined,
): Numbering {
  if (flavor === 'mysql') {
    const on = variables.get('gtid_mode')?.toUpperCase() === 'ON';
    const auto = status === undefined || String(status['Auto_Position'] ?? '1') === '1';
    return on && auto ? 'mysql-gtid' : 'file-position';
  }
  const using = String(status?.['Using_Gtid'] ?? 'Slave_Pos').toLowerCase();
  return using === 'no' ? 'file-position' : 'mariadb-gtid';
}

function logFiltersOf(log: StatusRow | undefined): string | undefined {
  const named = ['Binlog_Do_DB', 'Binlog_Ignore_DB'].flatMap((name) => {
    const value = String(log?.[name] ?? '');
    return value === '' ? [] : [`${name.toLowerCase()}: ${value}`];
  });
  return named.length === 0 ? undefined : named.join(', ');
}

async function logStatusOf(version: ServerVersion, ask: Ask): Promise<StatusRow | undefined> {
  const { flavor, numbers } = version;
  const [major, minor] = numbers;
  const newer = flavor === 'mysql' && (major > 8 || (major === 8 && minor >= 2));
  const [row] = await ask(newer ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS');
  return row;
}
