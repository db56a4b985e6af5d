/** Surveys of servers that do not exist. */
import { describeNode, type NodeSurvey } from '../../../src/failover/survey/node-survey.js';
import type { ScheduledEvent } from '../../../src/failover/survey/scheduled-events.js';
import { parseServerVersion } from '../../../src/mysql/server-version.js';

/** A MariaDB server; a replica when it has a `source`. */
export function madeUp(
  node: string,
  given: {
    readonly version?: string;
    readonly executed?: string;
    readonly received?: string;
    readonly source?: { readonly host: string; readonly port: number };
    readonly variables?: Readonly<Record<string, string>>;
    readonly status?: Readonly<Record<string, unknown>>;
    readonly readOnly?: boolean;
    readonly uptimeS?: number;
    readonly acknowledgers?: number;
    readonly logFilters?: string;
    readonly lacking?: readonly string[];
    readonly events?: readonly ScheduledEvent[];
    readonly eventsLacking?: readonly string[];
  } = {},
): NodeSurvey {
  const { executed = '0-1-100', received = executed, source, readOnly = source !== undefined } = given;
  const variables = {
    server_id: node.replace(/\D/g, '') || '1',
    read_only: readOnly ? 'ON' : 'OFF',
    log_bin: 'ON',
    log_slave_updates: 'ON',
    gtid_current_pos: executed,
    gtid_binlog_state: executed,
    ...given.variables,
  };
  const status = {
    Connection_name: '',
    Master_Host: source?.host,
    Master_Port: source?.port,
    Slave_IO_Running: 'Yes',
    Slave_SQL_Running: 'Yes',
    Gtid_IO_Pos: received,
    Using_Gtid: 'Slave_Pos',
    ...given.status,
  };
  return describeNode({
    node,
    version: parseServerVersion(given.version ?? '10.11.6-MariaDB'),
    variables: new Map(Object.entries(variables)),
    statusRows: source === undefined ? [] : [status],
    binlog: { file: 'binlog.000001', position: 4 },
    logFilters: given.logFilters,
    uptimeS: given.uptimeS ?? 1_000,
    acknowledgers: given.acknowledgers,
    lacking: given.lacking,
    events: given.events ?? [],
    eventsLacking: given.eventsLacking,
  });
}
