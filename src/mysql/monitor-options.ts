/** How nodes are watched: the `monitor` options of the MySQL client. */
import {
  invalidOption,
  LONGEST_TIMER_MS,
  readChoice,
  readNumber,
  rejectUnknownOptions,
} from '../common/option-reader.js';
import type { LagRule } from '../topology/measured-lag.js';
import type { CredentialsSource, MysqlCredentials } from './connection-settings.js';
import { type HeartbeatOptions, type ResolvedHeartbeat, resolveHeartbeat } from './heartbeat-table.js';
import { readShare, type ShareOptions } from './share-options.js';

/** What a {@link LagMeter} gets to measure with. */
export interface LagMeterContext {
  /** The node. */
  readonly node: string;
  /** Asks it something, as the account of the monitor, within the time of the probe. */
  readonly ask: (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;
}

/** Measures the lag of one replica in milliseconds; null when it cannot be told. Called with every probe of a replica. */
export type LagMeter = (context: LagMeterContext) => Promise<number | null>;

/**
 * Where the lag of a replica comes from:
 *
 * - `'auto'`: what the server reports, as exactly as it can (milliseconds on MySQL 8 and newer, else whole seconds).
 * - `'gtid'`: its GTID position against the primary's, by this process's clock; as coarse as the interval of the monitor.
 * - `{ heartbeat }`: a table as pt-heartbeat writes it.
 * - a function: whatever it measures.
 * - `'unchecked'`: nowhere; replicas serve reads however late they are.
 */
export type LagSource =
  | 'auto'
  | 'gtid'
  | 'unchecked'
  | {
      /** A table as pt-heartbeat writes it. */
      readonly heartbeat: HeartbeatOptions;
    }
  | LagMeter;

/** {@link LagSource}, checked. */
export type ResolvedLagSource = 'auto' | 'gtid' | 'unchecked' | LagMeter | ResolvedHeartbeat;

/** Options of the monitor. */
export interface MonitorOptions {
  /**
   * Longest time between two looks at a node, in milliseconds.
   *
   * @defaultValue 1000
   */
  readonly intervalMs?: number | undefined;
  /**
   * Longest time that a look may take, in milliseconds.
   *
   * @defaultValue 1000
   */
  readonly timeoutMs?: number | undefined;
  /** The account that looks at the servers; it needs the privilege to see replication. Default: the node's own. */
  readonly credentials?: MysqlCredentials | CredentialsSource | undefined;
  /**
   * Where the lag of replicas comes from. `'unchecked'` is for accounts that cannot be given the privilege to see replication.
   *
   * @defaultValue `'auto'`
   */
  readonly lagSource?: LagSource | undefined;
  /**
   * Whether one of all processes looks at the nodes, and the others read what it saw. `true` takes the memcached nodes of
   * `sessions`, with their login and TLS (in `createCluster`, and in a configuration file); else name them. What others read is
   * up to two intervals older.
   *
   * @defaultValue false
   */
  readonly share?: boolean | ShareOptions | undefined;
}

/** {@link MonitorOptions} with every default filled in. */
export interface ResolvedMonitorOptions {
  /** See {@link MonitorOptions.intervalMs}. */
  readonly intervalMs: number;
  /** See {@link MonitorOptions.timeoutMs}. */
  readonly timeoutMs: number;
  /** See {@link MonitorOptions.credentials}. */
  readonly credentials: MysqlCredentials | CredentialsSource | undefined;
  /** See {@link MonitorOptions.lagSource}. */
  readonly lagSource: ResolvedLagSource;
  /** See {@link MonitorOptions.share}; undefined when nothing is shared. */
  readonly share: ShareOptions | undefined;
}

/** The defaults of {@link MonitorOptions}. */
export const MONITOR_DEFAULTS: ResolvedMonitorOptions = Object.freeze({
  intervalMs: 1_000,
  timeoutMs: 1_000,
  credentials: undefined,
  lagSource: 'auto',
  share: undefined,
});

/**
 * Reads the `monitor` options.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function resolveMonitorOptions(options: MonitorOptions = {}): ResolvedMonitorOptions {
  rejectUnknownOptions('mysql.monitor', options, Object.keys(MONITOR_DEFAULTS));
  const d = MONITOR_DEFAULTS;
  const { credentials } = options;
  if (credentials !== undefined && typeof credentials !== 'function') {
    const given = credentials as Partial<MysqlCredentials> | null;
    if (typeof given !== 'object' || typeof given?.user !== 'string' || typeof given.password !== 'string') {
      throw invalidOption('mysql.monitor.credentials', '{ user, password } or a function', undefined);
    }
  }
  return Object.freeze({
    intervalMs: readNumber('mysql.monitor.intervalMs', options.intervalMs, d.intervalMs, {
      min: 50,
      max: LONGEST_TIMER_MS,
    }),
    timeoutMs: readNumber('mysql.monitor.timeoutMs', options.timeoutMs, d.timeoutMs, {
      min: 1,
      max: LONGEST_TIMER_MS,
    }),
    credentials,
    lagSource: readLagSource('mysql.monitor.lagSource', options.lagSource),
    share: readShare('mysql.monitor.share', options.share),
  });
}

function readLagSource(path: string, source: LagSource | undefined): ResolvedLagSource {
  if (typeof source === 'function') return source;
  if (typeof source !== 'object' || source === null) {
    return readChoice<'auto' | 'gtid' | 'unchecked'>(path, source, ['auto', 'gtid', 'unchecked'], 'auto');
  }
  rejectUnknownOptions(path, source, ['heartbeat']);
  return resolveHeartbeat(`${path}.heartbeat`, source.heartbeat);
}

/** How the topology knows the lag of replicas from a source. */
export function lagRuleOf(source: ResolvedLagSource): LagRule {
  if (source === 'gtid') return 'gtid';
  if (source === 'auto') return 'compared';
  return typeof source === 'object' ? 'heartbeat' : 'reported';
}

/** What tells sources of lag apart: what one process measured is of use to those only that measure alike. */
export function nameOfLagSource(source: ResolvedLagSource): string {
  if (typeof source === 'string') return source;
  return typeof source === 'function' ? 'function' : `heartbeat ${source.table}`;
}
