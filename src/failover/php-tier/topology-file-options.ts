/** What the writer of a topology file can be told. */
import { resolve } from 'node:path';
import type { NodeAddress, NodeId } from '../../common/node-address.js';
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
  /** Addresses as the readers must use them, by node, where they differ from this process's own. */
  readonly addresses?: Readonly<Record<NodeId, NodeAddress>> | undefined;
  /** Permissions of the file. There are no passwords in it. Default `0o644`. */
  readonly mode?: number | undefined;
}

/** The options with the defaults filled in. */
export type ResolvedTopologyFileOptions = {
  readonly [K in keyof TopologyFileOptions]-?: NonNullable<TopologyFileOptions[K]>;
};

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
    addresses: options.addresses ?? {},
    mode: readNumber('topologyFile.mode', options.mode, d.mode, { min: 0, max: 0o777, integer: true }),
  };
}
