/** How nodes are watched: the `monitor` options of the MySQL client. */
import { invalidOption, readChoice, readNumber, rejectUnknownOptions } from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { CredentialsSource, MysqlCredentials } from './connection-settings.js';

/** Where the lag of a replica comes from: what the server says of itself, or nowhere. */
export type LagSource = 'auto' | 'unchecked';

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
   * `'auto'`: replication status. `'unchecked'`: replicas serve reads however far behind they are; for accounts that
   * cannot be given the privilege to see replication.
   *
   * @defaultValue `'auto'`
   */
  readonly lagSource?: LagSource | undefined;
  /** Looking at the nodes once per machine. This version does not: only `false` is accepted. */
  readonly share?: false | undefined;
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
  readonly lagSource: LagSource;
}

/** The defaults of {@link MonitorOptions}. */
export const MONITOR_DEFAULTS: ResolvedMonitorOptions = Object.freeze({
  intervalMs: 1_000,
  timeoutMs: 1_000,
  credentials: undefined,
  lagSource: 'auto',
});

/**
 * Reads the `monitor` options.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`, or `ERR_UNSUPPORTED` for `share: true`.
 */
export function resolveMonitorOptions(options: MonitorOptions = {}): ResolvedMonitorOptions {
  rejectUnknownOptions('mysql.monitor', options, [...Object.keys(MONITOR_DEFAULTS), 'share']);
  if (options.share !== undefined && options.share !== false) {
    throw new StormlampError(
      ErrorCode.UNSUPPORTED,
      '`mysql.monitor.share` is not supported by this version; every process looks at the nodes itself',
    );
  }
  const d = MONITOR_DEFAULTS;
  const { credentials } = options;
  if (credentials !== undefined && typeof credentials !== 'function') {
    const given = credentials as Partial<MysqlCredentials> | null;
    if (typeof given !== 'object' || typeof given?.user !== 'string' || typeof given.password !== 'string') {
      throw invalidOption('mysql.monitor.credentials', '{ user, password } or a function', undefined);
    }
  }
  return Object.freeze({
    intervalMs: readNumber('mysql.monitor.intervalMs', options.intervalMs, d.intervalMs, { min: 50 }),
    timeoutMs: readNumber('mysql.monitor.timeoutMs', options.timeoutMs, d.timeoutMs, { min: 1 }),
    credentials,
    lagSource: readChoice('mysql.monitor.lagSource', options.lagSource, ['auto', 'unchecked'], d.lagSource),
  });
}
