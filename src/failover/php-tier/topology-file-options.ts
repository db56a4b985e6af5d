/** What the writer of a topology file can be told. */
import { resolve } from 'node:path';
import { type NodeAddress, type NodeId, nodeIdOf, parseNodeAddress } from '../../common/node-address.js';
import {
  invalidOption,
  readChoice,
  readMsOrInfinity,
  readNumber,
  readString,
  rejectUnknownOptions,
} from '../../common/option-reader.js';
import type { TopologyFileFormat } from './topology-document.js';

/** Options of {@link startTopologyFile}. */
export interface TopologyFileOptions {
  /** The file; its folder must be there and must be writable. */
  readonly file: string;
  /** What the file is. Default: by the file's ending, `.php` or `.json`. */
  readonly format?: TopologyFileFormat | undefined;
  /** Name of the cluster in the file. Default `stormlamp`. */
  readonly cluster?: string | undefined;
  /** How long after it was written the file may be believed, milliseconds. It is written anew after a third of it. Default 15 000. */
  readonly validForMs?: number | undefined;
  /** How far a replica in the file may be behind, milliseconds. Default 5000. */
  readonly maxLagMs?: number | undefined;
  /**
   * The same while no primary can be reached, when this is more, milliseconds; `Infinity` keeps replicas in the file for as long
   * as that lasts. Default `Infinity`.
   */
  readonly maxLagWithoutPrimaryMs?: number | undefined;
  /**
   * Addresses as the readers must use them, by node id, where they differ from this process's own: `host:port` (without a port
   * 3306), the path of a socket, or a `NodeAddress`. A name that no node has when the file is begun gives a warning of the process:
   * it counts once there is such a node.
   */
  readonly addresses?: Readonly<Record<NodeId, string | NodeAddress>> | undefined;
  /** Permissions of the file. There are no passwords in it. Default `0o644`. */
  readonly mode?: number | undefined;
}

/** The options with the defaults filled in. */
export type ResolvedTopologyFileOptions = {
  readonly [K in Exclude<keyof TopologyFileOptions, 'addresses'>]-?: NonNullable<TopologyFileOptions[K]>;
} & { readonly addresses: Readonly<Record<NodeId, NodeAddress>> };

/** The defaults of {@link TopologyFileOptions}. */
export const topologyFileDefaults: Readonly<{
  cluster: string;
  validForMs: number;
  maxLagMs: number;
  maxLagWithoutPrimaryMs: number;
  mode: number;
}> = Object.freeze({
  cluster: 'stormlamp',
  validForMs: 15_000,
  maxLagMs: 5_000,
  maxLagWithoutPrimaryMs: Number.POSITIVE_INFINITY,
  mode: 0o644,
});

/**
 * Checks the options.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option.
 */
export function readTopologyFileOptions(options: TopologyFileOptions): ResolvedTopologyFileOptions {
  const d = topologyFileDefaults;
  const names = ['file', 'format', 'addresses', ...Object.keys(d)];
  rejectUnknownOptions('topologyFile', options, names);
  const file = readString('topologyFile.file', options.file, '');
  if (file === '') throw invalidOption('topologyFile.file', 'the path of a file', options.file);
  const ending = /\.(php|json)$/.exec(file)?.[1] as TopologyFileFormat | undefined;
  if (ending === undefined && options.format === undefined)
    throw invalidOption(
      'topologyFile.format',
      "'php' or 'json' for a file without such an ending",
      options.format,
    );
  return {
    file: resolve(file),
    format: readChoice('topologyFile.format', options.format, ['json', 'php'], ending ?? 'json'),
    cluster: readString('topologyFile.cluster', options.cluster, d.cluster),
    validForMs: readNumber('topologyFile.validForMs', options.validForMs, d.validForMs, {
      min: 1_000,
      max: 3_600_000,
    }),
    maxLagMs: readNumber('topologyFile.maxLagMs', options.maxLagMs, d.maxLagMs, { min: 0 }),
    maxLagWithoutPrimaryMs: readMsOrInfinity(
      'topologyFile.maxLagWithoutPrimaryMs',
      options.maxLagWithoutPrimaryMs,
      d.maxLagWithoutPrimaryMs,
    ),
    addresses: readAddresses(options.addresses),
    mode: readNumber('topologyFile.mode', options.mode, d.mode, { min: 0, max: 0o777, integer: true }),
  };
}

const ADDRESS = "an address like 'host:port', a socket's path, or { host, port }";

function readAddresses(given: TopologyFileOptions['addresses']): Readonly<Record<NodeId, NodeAddress>> {
  const path = 'topologyFile.addresses';
  if (given === undefined) return {};
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw invalidOption(path, "addresses by node id, like { 'db1:3306': 'db1.internal:3306' }", given);
  const read: Record<NodeId, NodeAddress> = {};
  for (const [name, address] of Object.entries(given)) {
    const node = nodeIdOf(parseNodeAddress(`${path}.${name}`, name, 3_306));
    if (node in read) throw invalidOption(path, `one address of ${node}`, given);
    read[node] = readAddress(`${path}.${name}`, address);
  }
  return read;
}

function readAddress(path: string, address: unknown): NodeAddress {
  if (typeof address === 'string') return parseNodeAddress(path, address, 3_306);
  const { host, port, socketPath, ...rest } = (address ?? {}) as Readonly<Record<string, unknown>>;
  if (Object.keys(rest).length > 0) throw invalidOption(path, ADDRESS, address);
  if (
    typeof socketPath === 'string' &&
    socketPath.startsWith('/') &&
    host === undefined &&
    port === undefined
  )
    return { socketPath };
  const isPort = typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535;
  if (typeof host !== 'string' || host === '' || !isPort || socketPath !== undefined)
    throw invalidOption(path, ADDRESS, address);
  return { host, port };
}
