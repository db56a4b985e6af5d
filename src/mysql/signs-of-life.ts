/** Counters that tell more of a replica's source, and of a source's replicas, than the replication status does. */
import type { ReplicationChannel, SemiSync } from '../topology/node-description.js';
import type { StatusRow } from './replica-status.js';
import type { ServerVersion } from './server-version.js';

/** MySQL's heartbeats by channel; needs SELECT on performance_schema. MariaDB has them in its status. */
export const HEARTBEATS_SQL: string =
  'SELECT s.CHANNEL_NAME AS name, s.COUNT_RECEIVED_HEARTBEATS AS heartbeats, c.HEARTBEAT_INTERVAL AS period ' +
  'FROM performance_schema.replication_connection_status s ' +
  'JOIN performance_schema.replication_connection_configuration c USING (CHANNEL_NAME)';

/** How semi-synchronous replication does; no rows where the server has none. Needs no privilege. */
export const SEMI_SYNC_SQL: string = "SHOW GLOBAL STATUS LIKE 'Rpl\\_semi\\_sync\\_%'";

/** How it is set up. Needs no privilege. */
export const SEMI_SYNC_SETTINGS_SQL: string =
  "SHOW GLOBAL VARIABLES WHERE Variable_name REGEXP '^rpl_semi_sync_(master|source)_(timeout|wait_point|wait_for_(slave|replica)_count|wait_no_(slave|replica))$'";

/**
 * Counts the sessions that wait for the lock of the whole server. What it needs is in lock-sight.ts; on MariaDB an account that
 * lacks it sees its own sessions only. MySQL's `backup lock` is left out: it stops no writes.
 */
export function blockedWritesSql({ flavor }: ServerVersion): string {
  return flavor === 'mysql'
    ? "SELECT COUNT(*) AS blocked FROM performance_schema.threads WHERE PROCESSLIST_STATE IN ('Waiting for global read lock', 'Waiting for commit lock')"
    : "SELECT COUNT(*) AS blocked FROM information_schema.PROCESSLIST WHERE STATE IN ('Waiting for backup lock', 'Waiting for global read lock', 'Waiting for commit lock')";
}

/** The number in the answer to {@link blockedWritesSql}; undefined when there is none. */
export function readBlockedWrites(rows: readonly StatusRow[]): number | undefined {
  return numberOf(rows[0]?.['blocked']) ?? undefined;
}

/** The channels with their heartbeats in the rows of {@link HEARTBEATS_SQL}. */
export function withHeartbeats(
  channels: readonly ReplicationChannel[],
  rows: readonly StatusRow[],
): readonly ReplicationChannel[] {
  return channels.map((channel) => {
    const row = rows.find(({ name }) => name === channel.name);
    const { reception } = channel;
    if (row === undefined || reception === undefined) return channel;
    const heartbeats = numberOf(row['heartbeats']);
    const period = numberOf(row['period']);
    return {
      ...channel,
      reception: {
        ...reception,
        heartbeats,
        heartbeatMs: period === null ? null : Math.round(period * 1_000),
      },
    };
  });
}

/** The state in the rows of {@link SEMI_SYNC_SQL} and {@link SEMI_SYNC_SETTINGS_SQL}; undefined where the server is no source of it. */
export function readSemiSync(rows: readonly StatusRow[]): SemiSync | undefined {
  const values = new Map<string, unknown>();
  for (const row of rows) {
    const name = String(row['Variable_name'] ?? '').toLowerCase();
    // Both words for the side that sends are in use; the other side has one variable of no interest.
    values.set(name.replace(/^rpl_semi_sync_(master|source)_/, ''), row['Value']);
  }
  if (!values.has('status')) return undefined;
  return {
    active: String(values.get('status')).toLowerCase() === 'on',
    acknowledgers: numberOf(values.get('clients')) ?? 0,
    waiting: numberOf(values.get('wait_sessions')) ?? 0,
    acknowledged: numberOf(values.get('yes_tx')) ?? undefined,
    ...(values.has('timeout') ? settingsIn(values) : {}),
  };
}

function settingsIn(values: ReadonlyMap<string, unknown>): Partial<SemiSync> {
  // A MariaDB waits for one, always.
  const count = values.get('wait_for_replica_count') ?? values.get('wait_for_slave_count') ?? 1;
  return {
    timeoutMs: numberOf(values.get('timeout')) ?? undefined,
    waitFor: numberOf(count) ?? undefined,
    waitsAlone: isOn(values.get('wait_no_replica') ?? values.get('wait_no_slave')),
    afterSync: String(values.get('wait_point')).toUpperCase() === 'AFTER_SYNC',
  };
}

/** undefined where the server does not say. */
function isOn(value: unknown): boolean | undefined {
  return value === undefined ? undefined : ['ON', '1'].includes(String(value).toUpperCase());
}

function numberOf(value: unknown): number | null {
  if (value === null || value === undefined || value === '') return null;
  const number = Number(value);
  return Number.isFinite(number) && number >= 0 ? number : null;
}
