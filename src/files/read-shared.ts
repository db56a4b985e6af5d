/** Reads a shared file, from the next mount when one fails, also in the middle of it. */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Deadline } from '../common/deadline.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { MirroredMounts } from './mirrored-mounts.js';
import type { Mount } from './mount.js';
import { decidingCopy, type PlacedCopy } from './shared-change.js';
import { copyOf, openShared, readPieces } from './shared-copy.js';
import { isStale } from './when-stale.js';
import { wrongChecksum } from './write-shared.js';

/** How a file is read. */
export interface ReadSharedSettings {
  /** The first byte. */
  readonly offset: number;
  /** The SHA-256 that the whole file must have, in hexadecimal; only from its first byte on. */
  readonly sha256: string | undefined;
  /** Told when the rest is read from another mount. */
  readonly onFallover: (event: { mount: string; error: unknown }) => void;
}

interface OpenCopy extends PlacedCopy {
  readonly handle: FileHandle;
}

/**
 * The pieces of a file. Should its mount fail, the rest comes from the next one, where it has to be the same file: the
 * same size and date.
 *
 * @throws StormlampError `ERR_FILE_MISSING`, `ERR_FILE_CHANGED`, `ERR_CHECKSUM`, `ERR_STORE_DOWN`, `ERR_ABORTED`, `ERR_TIMEOUT`.
 */
export async function* readShared(
  mirrored: MirroredMounts,
  name: string,
  settings: ReadSharedSettings,
  deadline: Deadline,
): AsyncGenerator<Buffer> {
  const hash = settings.sha256 === undefined ? undefined : createHash('sha256');
  const failures = new Map<Mount, unknown>();
  let offset = settings.offset;
  let first: OpenCopy | undefined;
  for (;;) {
    const opened = await openDeciding(mirrored, name, failures);
    first ??= opened;
    try {
      // The file as it is open, not as it is named: it may be replaced at any time.
      if (opened.copy.version !== first.copy.version) throw changed(name);
      for await (const piece of readPieces(opened.mount, opened.handle, offset)) {
        deadline.check(`Reading ${name}`);
        hash?.update(piece);
        offset += piece.length;
        yield piece;
      }
      if (offset < first.copy.size) throw changed(name);
      break;
    } catch (error) {
      if (opened.mount.readable && !isStale(error)) throw error;
      failures.set(opened.mount, error);
      settings.onFallover({ mount: opened.mount.path, error });
    } finally {
      await opened.mount.close(opened.handle);
    }
  }
  const got = hash?.digest('hex');
  if (settings.sha256 !== undefined && got !== undefined && settings.sha256 !== got)
    throw wrongChecksum(name, settings.sha256, got);
}

async function openDeciding(
  mirrored: MirroredMounts,
  name: string,
  failures: Map<Mount, unknown>,
): Promise<OpenCopy> {
  for (;;) {
    const found = await decidingCopy(mirrored, mirrored.readable(), name, failures);
    if (found === undefined) throw mirrored.allDown(`No mount can be asked for ${name}`, failures);
    const { mount } = found;
    if (found.copy.version === null) throw missing(name);
    try {
      const handle = await openShared(mount, name);
      if (handle === undefined) throw missing(name);
      const copy = copyOf(await mount.run('Looking at a file', () => handle.stat()));
      return { mount, handle, copy };
    } catch (error) {
      if (mount.readable) throw error;
      failures.set(mount, error);
    }
  }
}

function missing(name: string): StormlampError {
  return new StormlampError(ErrorCode.FILE_MISSING, `There is no shared file ${name}`);
}

function changed(name: string): StormlampError {
  return new StormlampError(
    ErrorCode.FILE_CHANGED,
    `${name} was replaced while it was read, or its copies differ; read it again`,
  );
}
