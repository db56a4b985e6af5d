/** The heartbeat table of Percona's pt-heartbeat: read as it is, and written the same way by one elected process. */
import { createHash } from 'node:crypto';
import {
  invalidOption,
  LONGEST_TIMER_MS,
  readBoolean,
  readNumber,
  readString,
  rejectUnknownOptions,
} from '../common/option-reader.js';
import type { Flavor } from '../topology/node-description.js';
import type { StatusRow } from './replica-status.js';

/** How lag is measured with a heartbeat table. */
export interface HeartbeatOptions {
  /** The table, as `database.table`; pt-heartbeat's `--database` and `--table`. */
  readonly table: string;
  /**
   * Whether this package writes the heartbeat, by one of all processes; without, pt-heartbeat does. The account of the nodes
   * needs CREATE (unless the table is there), INSERT and DELETE on it.
   *
   * @defaultValue false
   */
  readonly write?: boolean | undefined;
  /**
   * Milliseconds between two heartbeats that this package writes.
   *
   * @defaultValue 500
   */
  readonly intervalMs?: number | undefined;
}

/** {@link HeartbeatOptions} with every default filled in; the table is quoted. */
export interface ResolvedHeartbeat {
  /** The quoted name of the table. */
  readonly table: string;
  /** See {@link HeartbeatOptions.write}. */
  readonly write: boolean;
  /** See {@link HeartbeatOptions.intervalMs}. */
  readonly intervalMs: number;
}

/**
 * Reads the options.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function resolveHeartbeat(path: string, options: HeartbeatOptions): ResolvedHeartbeat {
  rejectUnknownOptions(path, options, ['table', 'write', 'intervalMs']);
  const name = readString(`${path}.table`, options.table, '');
  const parts = name.split('.');
  if (parts.length !== 2 || parts.some((part) => part === '' || part.length > 64 || part.includes('\0'))) {
    throw invalidOption(
      `${path}.table`,
      "a table with its database, like 'percona.heartbeat'",
      options.table,
    );
  }
  return Object.freeze({
    table: parts.map((part) => `\`${part.replaceAll('`', '``')}\``).join('.'),
    write: readBoolean(`${path}.write`, options.write, false),
    intervalMs: readNumber(`${path}.intervalMs`, options.intervalMs, 500, { min: 50, max: LONGEST_TIMER_MS }),
  });
}

/** Reads the rows of all servers; the server itself ends it after `limitMs`, when the table is locked. */
export function heartbeatSql(table: string, flavor: Flavor, limitMs: number): string {
  return flavor === 'mysql'
    ? `SELECT /*+ MAX_EXECUTION_TIME(${Math.ceil(limitMs)}) */ ts, server_id FROM ${table}`
    : `SET STATEMENT max_statement_time = ${(limitMs / 1_000).toFixed(3)} FOR SELECT ts, server_id FROM ${table}`;
}

/**
 * The lock of who writes the quoted `table`: each has a writer of its own, for several sites may share a server. Its name has at
 * most 64 characters, which is what MySQL takes, however long that of the table is.
 */
export function heartbeatLock(table: string): string {
  return `stormlamp-heartbeat:${createHash('sha256').update(table).digest('hex').slice(0, 32)}`;
}

/** Makes the table as pt-heartbeat's `--create-table` does, so that it can take over. */
export function createHeartbeatSql(table: string): string {
  return (
    `CREATE TABLE IF NOT EXISTS ${table} (ts VARCHAR(26) NOT NULL, server_id INT UNSIGNED NOT NULL PRIMARY KEY, ` +
    'file VARCHAR(255) DEFAULT NULL, position BIGINT UNSIGNED DEFAULT NULL, ' +
    'relay_master_log_file VARCHAR(255) DEFAULT NULL, exec_master_log_pos BIGINT UNSIGNED DEFAULT NULL)'
  );
}

/** Writes the heartbeat of the server that runs it, in UTC. */
export function writeHeartbeatSql(table: string, serverId: number): string {
  // The server's clock, as text, so that the same value reaches every replica whatever the format of the binary log is.
  const now = "DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%f')";
  return `REPLACE INTO ${table} (ts, server_id) VALUES (${now}, ${serverId})`;
}

/**
 * The heartbeats by `server_id`, in milliseconds. The zone of a timestamp does not matter, since only differences of the
 * same server's are taken. What is no timestamp is left out.
 */
export function readHeartbeats(rows: readonly StatusRow[]): Readonly<Record<number, number>> {
  const beats: Record<number, number> = {};
  for (const row of rows) {
    const match = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/.exec(
      String(row['ts'] ?? ''),
    );
    const serverId = Number(row['server_id']);
    if (match === null || !Number.isSafeInteger(serverId)) continue;
    const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const fraction = Number(`0.${match[7] ?? '0'}`) * 1_000;
    beats[serverId] = Date.UTC(year, month - 1, day, hour, minute, second) + fraction;
  }
  return beats;
}
