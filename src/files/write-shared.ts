/** Streams a shared file to every mount at once, and gives it its name when it is complete everywhere. */
import { createHash } from 'node:crypto';
import type { Deadline } from '../common/deadline.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { assertInside } from './entry-name.js';
import type { Mount } from './mount.js';
import { changeShared, type SharedChange, type SharedFilesParts } from './shared-change.js';
import { StagedFile, sharedVersion } from './shared-copy.js';
import { type SharedFileSource, sourcePieces } from './source-pieces.js';
import { unbury } from './tombstones.js';
import { unusablePlace } from './unusable-place.js';

/** How a file is written. */
export interface WriteSharedSettings {
  /** Permission bits. */
  readonly mode: number;
  /** Its date. */
  readonly modified: Date;
  /** The SHA-256 that it must have, in hexadecimal. */
  readonly sha256: string | undefined;
}

/** What was written. */
export interface WrittenShared extends SharedChange {
  /** Bytes. */
  readonly size: number;
  /** SHA-256 in hexadecimal. */
  readonly sha256: string;
}

/**
 * Writes a file. Readers see the old contents until all of the new ones are on the disk. A mount that fails on the way is
 * left behind, and what it missed is remembered.
 *
 * @param reading how long the source is waited for
 * @throws StormlampError as `changeShared`; `ERR_CHECKSUM`; whatever the source throws. Nothing was changed then.
 */
export async function writeShared(
  parts: SharedFilesParts,
  name: string,
  source: SharedFileSource,
  settings: WriteSharedSettings,
  deadline: Deadline,
  reading: Deadline,
): Promise<WrittenShared> {
  const { mirrored } = parts;
  const failures = new Map<Mount, unknown>();
  const staged = new Map<Mount, StagedFile>();
  const attempt = async (mount: Mount, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      failures.set(mount, error);
      await staged.get(mount)?.discard();
      staged.delete(mount);
    }
  };
  const onEach = async (work: (file: StagedFile) => Promise<unknown>): Promise<void> => {
    await Promise.all([...staged].map(([mount, file]) => attempt(mount, () => work(file))));
    if (staged.size > 0) return;
    throw unusablePlace(name, failures.values()) ?? mirrored.allDown(`No mount can take ${name}`, failures);
  };
  try {
    // A name that leads out of the folder is the caller's mistake, whatever the other mounts say; folders are made on none of them.
    for (const mount of mirrored.writable())
      await attempt(mount, () => mount.run('Looking at a name', () => assertInside(mount, name)));
    for (const error of failures.values()) if (isStormlampError(error, ErrorCode.FILE_NAME)) throw error;
    for (const mount of mirrored.writable())
      if (!failures.has(mount))
        await attempt(mount, async () => staged.set(mount, await StagedFile.open(mount, name)));
    await onEach(async () => undefined);
    const hash = createHash('sha256');
    let size = 0;
    for await (const bytes of sourcePieces(source, reading, `Writing ${name}`)) {
      hash.update(bytes);
      size += bytes.length;
      await onEach((file) => file.write(bytes));
    }
    const sha256 = hash.digest('hex');
    if (settings.sha256 !== undefined && settings.sha256 !== sha256)
      throw wrongChecksum(name, settings.sha256, sha256);
    await onEach((file) => file.finish(settings.mode, settings.modified));
    const change = await changeShared(
      parts,
      name,
      'write',
      sharedVersion(size, settings.modified.getTime()),
      deadline,
      async (mount) => {
        await staged.get(mount)?.publish();
        staged.delete(mount);
        await unbury(mount, name);
      },
      new Map(
        mirrored.writable().flatMap((mount) => (staged.has(mount) ? [] : [[mount, failures.get(mount)]])),
      ),
    );
    return { ...change, size, sha256 };
  } finally {
    for (const file of staged.values()) await file.discard();
  }
}

/** The error of bytes that are not the expected ones. */
export function wrongChecksum(name: string, expected: string, got: string): StormlampError {
  return new StormlampError(
    ErrorCode.CHECKSUM,
    `${name} has the SHA-256 ${got.slice(0, 16)}…, expected was ${expected.slice(0, 16)}…`,
  );
}
