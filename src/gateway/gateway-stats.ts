/** The gateway's figures, in memcached's words so that its tools can read them. */
import type { NodeId } from '../common/node-address.js';
import type { GatewayCounters } from './gateway-counters.js';
import type { ResolvedSessionGatewayOptions } from './gateway-options.js';

/** The nodes behind a gateway. */
export interface GatewayNodes {
  /** Those that decide. */
  readonly nodes: readonly NodeId[];
  /** How far a change of nodes has come. */
  readonly change: 'none' | 'prepare' | 'switch';
  /** PHP's handler, whose keys are told from others by this prefix. */
  readonly handler: string;
  /** The prefix of sessions. */
  readonly prefix: string;
  /** How many nodes hold each item. */
  readonly copies: number;
  /** What nodes that came back are filled with. */
  readonly keys: string;
}

/** Where the figures come from. */
export interface GatewayFigures {
  /** Counts. */
  readonly counters: GatewayCounters;
  /** Clients now. */
  readonly connections: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** The version. */
  readonly version: string;
  /** The nodes now. */
  readonly store: GatewayNodes;
  /** The options in force. */
  readonly options: ResolvedSessionGatewayOptions;
}

/** The figures of a group: `''` for the general ones, `'settings'`; undefined for groups that there are not. */
export function gatewayStats(
  group: string,
  figures: GatewayFigures,
): ReadonlyMap<string, string> | undefined {
  const { counters, connections, startedAt, version, store, options } = figures;
  if (group === 'settings') {
    return new Map([
      ['maxconns', String(options.maxConnections)],
      ['item_size_max', String(options.maxValueBytes)],
      ['flush_enabled', 'no'],
      ['auth_enabled_sasl', options.credentials === undefined ? 'no' : 'yes'],
      ['ssl_enabled', options.tls === undefined ? 'no' : 'yes'],
    ]);
  }
  if (group !== '') return undefined;
  const now = Date.now();
  return new Map([
    ['pid', String(process.pid)],
    ['uptime', String(Math.floor((now - startedAt) / 1000))],
    ['time', String(Math.floor(now / 1000))],
    ['version', version],
    ['nodes', store.nodes.join(',')],
    ['node_change', store.change],
    ['handler', store.handler],
    ['prefix', store.prefix],
    ['copies', String(store.copies)],
    ['keys', store.keys],
    ['curr_connections', String(connections)],
    ['total_connections', String(counters.connections)],
    ['rejected_connections', String(counters.refused)],
    ['client_faults', String(counters.faults)],
    ['cmd_items', String(counters.commands)],
    ['cmd_items_failed', String(counters.failures)],
    ['bytes_read', String(counters.bytesRead)],
    ['bytes_written', String(counters.bytesWritten)],
  ]);
}
