/** Leaves the virtual address to keepalived, and tells it by a file which machine shall have it. */
import { readNumber, readString, rejectUnknownOptions } from '../../common/option-reader.js';
import { replaceFile } from '../../files/replace-file.js';
import type { LeasedResource } from './leased-resource.js';

/** Options of {@link keepalivedTrackFile}. */
export interface TrackFileOptions {
  /** The file that `track_file` of keepalived names. */
  readonly file: string;
  /** What is written while this process holds the lease; 0 is written otherwise. Default 100. */
  readonly weight?: number | undefined;
}

/**
 * Writes a weight into a `track_file` of keepalived while the lease is held. keepalived decides who has the address; this only
 * makes it prefer the holder. The file stays as it is when this process dies: the address is then where keepalived keeps it.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function keepalivedTrackFile(options: TrackFileOptions): LeasedResource {
  rejectUnknownOptions('trackFile', options, ['file', 'weight']);
  const file = readString('trackFile.file', options.file, '');
  const weight = readNumber('trackFile.weight', options.weight, 100, { min: 1, max: 254, integer: true });
  const write = (value: number): Promise<void> => replaceFile(file, `${value}\n`, { mode: 0o644 });
  return {
    // A weight of a former life must not stay.
    check: () => write(0),
    acquired: () => write(weight),
    lost: () => write(0),
  };
}
