/** Options of shared files, their defaults and their checks. */
import { readChoice, readNumber, rejectUnknownOptions } from '../common/option-reader.js';
import { checkMountPaths } from './mirrored-mounts.js';

/** How shared files are kept. */
export interface SharedFilesOptions {
  /** Folders that mirror each other, in the same order in every process: reads are answered by the first healthy one. */
  readonly mounts: readonly string[];
  /** How many mounts must have taken a write before it is acknowledged. Default `'one'`. */
  readonly acks?: 'one' | 'majority' | 'all';
  /** How long another writer of the same name is waited for, in milliseconds. Default 10 000. */
  readonly lockWaitMs?: number;
  /** Deadline of one file call, in milliseconds; a mount that misses it is hung and left alone. Default 5 000. */
  readonly operationTimeoutMs?: number;
  /** Pause between two looks at the mounts, in milliseconds. Default 5 000. */
  readonly monitorIntervalMs?: number;
  /** How long deletions are remembered, in milliseconds: longer than any mount is ever away. Default 30 days. */
  readonly tombstoneMs?: number;
}

/** The options with every default filled in. */
export type ResolvedSharedFilesOptions = Required<SharedFilesOptions>;

/** The defaults of {@link SharedFilesOptions}. */
export const DEFAULT_SHARED_FILES_OPTIONS: {
  readonly acks: 'one';
  readonly lockWaitMs: number;
  readonly operationTimeoutMs: number;
  readonly monitorIntervalMs: number;
  readonly tombstoneMs: number;
} = {
  acks: 'one',
  lockWaitMs: 10_000,
  operationTimeoutMs: 5_000,
  monitorIntervalMs: 5_000,
  tombstoneMs: 2_592_000_000,
};

/**
 * Checks the options and fills in the defaults.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option.
 */
export function resolveSharedFilesOptions(
  options: SharedFilesOptions,
  path = 'options',
): ResolvedSharedFilesOptions {
  const d = DEFAULT_SHARED_FILES_OPTIONS;
  rejectUnknownOptions(path, options, ['mounts', ...Object.keys(d)]);
  const read = (
    name: 'lockWaitMs' | 'operationTimeoutMs' | 'monitorIntervalMs' | 'tombstoneMs',
    min: number,
  ): number => readNumber(`${path}.${name}`, options[name], d[name], { min });
  return {
    mounts: checkMountPaths(`${path}.mounts`, options.mounts),
    acks: readChoice(`${path}.acks`, options.acks, ['one', 'majority', 'all'], d.acks),
    lockWaitMs: read('lockWaitMs', 0),
    operationTimeoutMs: read('operationTimeoutMs', 1),
    monitorIntervalMs: read('monitorIntervalMs', 50),
    tombstoneMs: read('tombstoneMs', 1_000),
  };
}
