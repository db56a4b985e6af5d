/** Reads the answer of `SHOW ... STATUS` about replication: the same facts under the names of every server version. */
import type { Flavor, Reception, ReplicationChannel } from '../topology/node-description.js';
import { isAtLeast, type ServerVersion } from './server-version.js';

/** The columns that tell what a channel leaves out. */
const CHANNEL_FILTERS = [
  'Replicate_Do_DB',
  'Replicate_Ignore_DB',
  'Replicate_Do_Table',
  'Replicate_Ignore_Table',
  'Replicate_Wild_Do_Table',
  'Replicate_Wild_Ignore_Table',
  'Replicate_Rewrite_DB',
  'Replicate_Do_Domain_Ids',
  'Replicate_Ignore_Domain_Ids',
  'Replicate_Ignore_Server_Ids',
];

/** One row of an answer, by column name. */
export type StatusRow = Readonly<Record<string, unknown>>;

/** The statements that show replication, the one to try first at the front. */
export function replicaStatusStatements(version: ServerVersion): readonly [string, string] {
  // Of MariaDB's two forms only this one shows named connections; their newer spelling brings no other columns.
  if (version.flavor === 'mariadb') return ['SHOW ALL SLAVES STATUS', 'SHOW ALL REPLICAS STATUS'];
  return isAtLeast(version, 8, 0, 22)
    ? ['SHOW REPLICA STATUS', 'SHOW SLAVE STATUS']
    : ['SHOW SLAVE STATUS', 'SHOW REPLICA STATUS'];
}

/** The statement that shows the binary log that a server writes. */
export function binlogStatusStatement(version: ServerVersion): string {
  const isRenamed = version.flavor === 'mysql' && isAtLeast(version, 8, 2, 0);
  return isRenamed ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS';
}

/**
 * The channels in the rows of such a statement. The lag is in whole seconds there, and may be a second too high; NULL
 * stays null, because a replica whose threads do not run is behind by nobody knows how much.
 */
export function readReplicaStatus(rows: readonly StatusRow[], flavor: Flavor): readonly ReplicationChannel[] {
  return rows.map((row) => channelOf(row, flavor)).filter(isOwnChannel);
}

function channelOf(row: StatusRow, flavor: Flavor): ReplicationChannel {
  const named = flavor === 'mariadb' ? row['Connection_name'] : row['Channel_Name'];
  const io = ioOf(textOf(row['Replica_IO_Running'] ?? row['Slave_IO_Running']));
  const sql = textOf(row['Replica_SQL_Running'] ?? row['Slave_SQL_Running']).toLowerCase() === 'yes';
  // Of MySQL's these are the ones in force on the channel, the global ones among them.
  const filters = filtersIn(row, CHANNEL_FILTERS);
  const seconds = row['Seconds_Behind_Source'] ?? row['Seconds_Behind_Master'];
  return {
    name: textOf(named),
    sourceHost: textOf(row['Source_Host'] ?? row['Master_Host']),
    sourcePort: countOf(row['Source_Port'] ?? row['Master_Port']),
    sourceServerId: countOf(row['Source_Server_Id'] ?? row['Master_Server_Id']),
    io,
    sql,
    // While MySQL still applies what it has, it tells a number although nothing more comes in.
    lagMs: io === 'yes' && sql ? lagOf(seconds) : null,
    delayMs: countOf(row['SQL_Delay']) * 1_000,
    error: textOf(row['Last_SQL_Error']) || textOf(row['Last_IO_Error']),
    ...(textOf(row['Last_SQL_Error']) === '' ? {} : { applyErrno: countOf(row['Last_SQL_Errno']) }),
    ...(asksForAll(row) ? { autoPosition: true } : {}),
    ...(countsFilesIn(row) ? { byPosition: true } : {}),
    ...(filters.length === 0 ? {} : { filters }),
    reception: receptionOf(row),
  };
}

/** Whether a replica of MySQL asks for all that it lacks, and takes it from every server. MariaDB has no such column. */
function asksForAll(row: StatusRow): boolean {
  return countOf(row['Auto_Position']) === 1 && textOf(row['Replicate_Ignore_Server_Ids']) === '';
}

/** Whether a replica follows by file and position. */
function countsFilesIn(row: StatusRow): boolean {
  const byGtid = row['Using_Gtid'];
  if (byGtid !== undefined) return textOf(byGtid).toLowerCase() === 'no';
  return row['Auto_Position'] !== undefined && countOf(row['Auto_Position']) === 0;
}

/** What a server leaves out of its binary log, by the row of {@link binlogStatusStatement}. */
export function readBinlogFilters(row: StatusRow): readonly string[] {
  return filtersIn(row, ['Binlog_Do_DB', 'Binlog_Ignore_DB']);
}

function filtersIn(row: StatusRow, names: readonly string[]): readonly string[] {
  return names.map((name) => `${name}=${textOf(row[name])}`).filter((filter) => !filter.endsWith('='));
}

/** MariaDB counts heartbeats here; MySQL does so in performance_schema only. */
function receptionOf(row: StatusRow): Reception {
  const heartbeats = row['Slave_received_heartbeats'];
  const period = row['Slave_heartbeat_period'];
  const gtids = textOf(row['Gtid_IO_Pos']) || textOf(row['Retrieved_Gtid_Set']);
  const file = textOf(row['Source_Log_File'] ?? row['Master_Log_File']);
  const offset = countOf(row['Read_Source_Log_Pos'] ?? row['Read_Master_Log_Pos']);
  const place = file === '' ? '' : `${file}:${offset}`;
  return {
    position: `${place} ${gtids.replace(/\s+/g, '')}`.trim(),
    heartbeats: heartbeats === undefined ? null : countOf(heartbeats),
    heartbeatMs: period === undefined ? null : Math.round(Number(period) * 1_000),
    errno: countOf(row['Last_IO_Errno']),
  };
}

/** Group Replication shows channels of its own, without a source; they say nothing about lag. */
function isOwnChannel(channel: ReplicationChannel): boolean {
  return channel.sourceHost !== '' && !channel.name.startsWith('group_replication_');
}

function ioOf(state: string): ReplicationChannel['io'] {
  switch (state.toLowerCase()) {
    case 'yes':
      return 'yes';
    case 'connecting':
    case 'preparing':
      return 'connecting';
    default:
      return 'no';
  }
}

function lagOf(seconds: unknown): number | null {
  if (seconds === null || seconds === undefined || seconds === '') return null;
  const number = Number(seconds);
  return Number.isFinite(number) && number >= 0 ? number * 1_000 : null;
}

function countOf(value: unknown): number {
  const number = Number(value ?? 0);
  return Number.isSafeInteger(number) && number >= 0 ? number : 0;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Buffer.isBuffer(value)) return value.toString('utf8');
  return value === null || value === undefined ? '' : String(value);
}
