/** What a probe asks a server about itself, in one statement, and how it reads the answer. */
import type { ReplicationChannel, ServerFacts } from '../topology/node-description.js';
import type { StatusRow } from './replica-status.js';
import { isAtLeast, parseServerVersion, type ServerVersion } from './server-version.js';

/** The facts of a server without its replication. */
export type OwnFacts = Omit<ServerFacts, 'channels' | 'replicationVisible'>;

/** Whether the server can tell lag in milliseconds (to an account that may read performance_schema). */
export function canTellFineLag(version: ServerVersion): boolean {
  return version.flavor === 'mysql' && isAtLeast(version, 8, 0, 1);
}

/** What is committed on a MySQL server; '' where its own transactions have no GTIDs, whatever it once had. */
export const MYSQL_POSITION = "IF(@@global.gtid_mode LIKE 'ON%', @@global.gtid_executed, '')";

/** The statement that reads a server's variables and, with `fineLag`, the lag of every channel in milliseconds. */
export function serverVariablesSql(version: ServerVersion, fineLag: boolean): string {
  const own =
    'SELECT VERSION() AS version, @@global.server_id AS server_id, @@global.read_only AS read_only, ' +
    "@@global.innodb_read_only AS innodb_read_only, CONCAT(@@hostname, ':', @@port) AS own_name";
  const skipped = skippedErrorsName(version);
  const common = `${own}, @@global.${skipped} AS ${skipped}`;
  if (version.flavor === 'mariadb') {
    return (
      `${common}, @@global.gtid_current_pos AS gtid, @@global.gtid_slave_pos AS gtid_applied, ` +
      '@@global.gtid_binlog_state AS gtid_state'
    );
  }
  const mysql = `${common}, @@global.super_read_only AS super_read_only, @@global.server_uuid AS server_uuid, ${MYSQL_POSITION} AS gtid`;
  return fineLag ? `${mysql}, (${FINE_LAG}) AS fine_lag` : mysql;
}

/**
 * The age of the oldest transaction that waits to be applied, by the clocks of both servers; 0 when all that was received is
 * applied, NULL when a thread does not run. While a delay is configured it knows only the newest transaction: see
 * {@link withFineLag}. Zero timestamps mean that nothing is there. Channels whose transactions have no GTIDs are left out: what
 * they received is in no set, so all of it would pass for applied.
 */
const FINE_LAG = `SELECT CAST(JSON_OBJECTAGG(l.name, l.lag_ms) AS CHAR) FROM (
SELECT c.CHANNEL_NAME AS name, CASE
WHEN c.SERVICE_STATE <> 'ON' OR a.SERVICE_STATE <> 'ON' THEN NULL
WHEN GTID_SUBSET(c.RECEIVED_TRANSACTION_SET, @@global.gtid_executed) AND c.QUEUEING_TRANSACTION = '' THEN 0
ELSE GREATEST(0, COALESCE(TIMESTAMPDIFF(MICROSECOND, LEAST(
COALESCE((SELECT MIN(NULLIF(w.APPLYING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, 0))
FROM performance_schema.replication_applier_status_by_worker w WHERE w.CHANNEL_NAME = c.CHANNEL_NAME), NOW(6)),
COALESCE((SELECT MIN(NULLIF(k.PROCESSING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, 0))
FROM performance_schema.replication_applier_status_by_coordinator k WHERE k.CHANNEL_NAME = c.CHANNEL_NAME), NOW(6)),
COALESCE(NULLIF(c.LAST_QUEUED_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, 0), NOW(6))), NOW(6)) DIV 1000, 0)) END AS lag_ms
FROM performance_schema.replication_connection_status c
JOIN performance_schema.replication_applier_status a USING (CHANNEL_NAME)
WHERE @@global.gtid_mode = 'ON' AND c.RECEIVED_TRANSACTION_SET <> ''
AND 'ANONYMOUS' NOT IN (c.LAST_QUEUED_TRANSACTION, c.QUEUEING_TRANSACTION)) l`;

/** The variable with the errors that a replica passes over. */
function skippedErrorsName(version: ServerVersion): 'replica_skip_errors' | 'slave_skip_errors' {
  const isRenamed = version.flavor === 'mysql' && isAtLeast(version, 8, 0, 26);
  return isRenamed ? 'replica_skip_errors' : 'slave_skip_errors';
}

/** The facts in the row of {@link serverVariablesSql}. */
export function readServerVariables(row: StatusRow): OwnFacts {
  const version = parseServerVersion(String(row['version'] ?? ''));
  const uuid = row['server_uuid'];
  const ownName = row['own_name'];
  const state = row['gtid_state'];
  const applied = row['gtid_applied'];
  const skipped = skippedErrorsName(version);
  return {
    flavor: version.flavor,
    version: version.text,
    serverId: Number(row['server_id'] ?? 0),
    ...(typeof uuid === 'string' ? { serverUuid: uuid } : {}),
    ...(typeof ownName === 'string' ? { ownName } : {}),
    readOnly: isOn(row['read_only']) || isOn(row['super_read_only']) || isOn(row['innodb_read_only']),
    gtid: setOf(row['gtid']),
    ...(applied === undefined ? {} : { gtidApplied: setOf(applied) }),
    ...(state === undefined ? {} : { gtidState: setOf(state) }),
    ...(isOn(row[skipped]) ? { skippedErrors: [`${skipped}=${String(row[skipped])}`] } : {}),
  };
}

/** Lag in milliseconds by channel, as the row of {@link serverVariablesSql} has it; undefined when it was not asked for. */
export function readFineLag(row: StatusRow): ReadonlyMap<string, number | null> | undefined {
  const text = row['fine_lag'];
  if (text === undefined) return undefined;
  if (typeof text !== 'string') return new Map();
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== 'object' || parsed === null) return new Map();
  return new Map(
    Object.entries(parsed).map(([channel, lag]) => [channel, typeof lag === 'number' ? lag : null]),
  );
}

/** The channels with the finer lag where there is one. Of a delayed channel the larger lag is the right one. */
export function withFineLag(
  channels: readonly ReplicationChannel[],
  fineLag: ReadonlyMap<string, number | null> | undefined,
): readonly ReplicationChannel[] {
  if (fineLag === undefined) return channels;
  return channels.map((channel) => {
    const fine = fineLag.get(channel.name);
    if (fine === undefined || channel.lagMs === null) return channel;
    if (fine === null) return { ...channel, lagMs: null };
    return { ...channel, lagMs: channel.delayMs > 0 ? Math.max(fine, channel.lagMs) : fine };
  });
}

/** Newer versions of MariaDB answer with words, among them kinds of `read_only` that are more than `ON`. */
function isOn(value: unknown): boolean {
  if (value === undefined || value === null) return false;
  return !['0', 'off', 'false', ''].includes(String(value).toLowerCase());
}

/** MySQL breaks long sets into lines. */
function setOf(value: unknown): string {
  return typeof value === 'string' ? value.replace(/\s+/g, '') : '';
}
