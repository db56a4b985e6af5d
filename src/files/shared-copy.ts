/** One mount's copy of a shared file: what it is, how it gets there from another mount. */

import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { closeQuietly } from './close-quietly.js';
import { assertInside } from './entry-name.js';
import { assertRegular } from './locked-file.js';
import { makeFolders } from './make-folders.js';
import type { CopyVersion } from './missed-writes.js';
import type { Mount } from './mount.js';
import { unlessMissing } from './mount-health.js';
import { syncFolder, unfinishedPath } from './replace-file.js';

/** Bytes that are read or written at a time. */
export const CHUNK_BYTES = 262_144;
/** Permission bits of folders that are made for files. */
const FOLDER_MODE = 0o755;

/** A copy as its mount shows it. */
export interface SharedCopy extends CopyVersion {
  /** Size in bytes. */
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
}

/** No file. */
export const NO_SHARED_COPY: SharedCopy = Object.freeze({
  version: null,
  modifiedMs: 0,
  changedMs: 0,
  size: 0,
  mode: 0,
});

/**
 * The version of a file: size and date, which all copies have in common because we write them so. Dates are rounded, not
 * cut: Node sets them as a fraction of seconds, and what comes back may be a hair less.
 */
export function sharedVersion(size: number, modifiedMs: number): string {
  return `${size}:${Math.round(modifiedMs)}`;
}

/** The copy that a file's own facts tell of. */
export function copyOf({ size, mtimeMs, ctimeMs, mode }: Stats): SharedCopy {
  const modifiedMs = Math.round(mtimeMs);
  const version = sharedVersion(size, modifiedMs);
  return { version, modifiedMs, changedMs: ctimeMs, size, mode: mode & 0o777 };
}

/** Looks at a copy. Links and folders are no files. Errors: as `Mount.run`, `ERR_FILE_NAME`. */
export async function lookAt(mount: Mount, name: string): Promise<SharedCopy> {
  const copy = await mount.run('Looking at a file', async () => {
    await assertInside(mount, name);
    const found = await unlessMissing(lstat(mount.at(name)));
    return found?.isFile() === true ? copyOf(found) : undefined;
  });
  if (copy !== undefined) return copy;
  await mount.confirm();
  return NO_SHARED_COPY;
}

/** Opens a copy for reading; undefined when there is none, or what has its name is no file. Errors: as {@link lookAt}. */
export function openShared(mount: Mount, name: string): Promise<FileHandle | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  return mount.run(
    'Opening',
    async () => {
      await assertInside(mount, name);
      // Looked at before: to open a socket, say, is an error that speaks of a mount whose storage is gone.
      if ((await unlessMissing(lstat(mount.at(name))))?.isFile() !== true) return undefined;
      const handle = await unlessMissing(open(mount.at(name), flags));
      if (handle === undefined) return undefined;
      try {
        await assertRegular(handle, name);
        return handle;
      } catch (error) {
        await closeQuietly(handle);
        throw error;
      }
    },
    (handle) => void (handle && mount.close(handle)),
  );
}

/** A file that is being written on one mount and has no name yet. */
export class StagedFile {
  /** The mount. */
  readonly mount: Mount;
  readonly #name: string;
  readonly #path: string;
  readonly #handle: FileHandle;
  #position = 0;

  private constructor(mount: Mount, name: string, path: string, handle: FileHandle) {
    this.mount = mount;
    this.#name = name;
    this.#path = path;
    this.#handle = handle;
  }

  /** Makes the folders and an empty file beside the place of `name`. Errors: as {@link lookAt}. */
  static async open(mount: Mount, name: string): Promise<StagedFile> {
    await mount.confirm();
    const path = unfinishedPath(mount.at(name));
    const handle = await mount.run(
      'Making a file',
      async () => {
        await assertInside(mount, name);
        await makeFolders(mount.path, dirname(mount.at(name)), { mode: FOLDER_MODE });
        return open(path, 'wx', 0o600);
      },
      (opened) => void mount.close(opened).then(() => mount.discard(path)),
    );
    return new StagedFile(mount, name, path, handle);
  }

  /** Appends bytes. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
      const piece = bytes.subarray(start, start + CHUNK_BYTES);
      await this.mount.run('Writing', async () => {
        let written = 0;
        while (written < piece.length) {
          const done = await this.#handle.write(piece, written, piece.length - written, this.#position);
          written += done.bytesWritten;
          this.#position += done.bytesWritten;
        }
      });
    }
  }

  /** Flushes it to the disk, complete but for its name. */
  async finish(mode: number, modified: Date): Promise<void> {
    await this.mount.run('Flushing', async () => {
      await this.#handle.chmod(mode);
      await this.#handle.utimes(modified, modified);
      await this.#handle.sync();
      await this.#handle.close();
    });
  }

  /** Gives it its name: from now on every reader sees all of it. */
  async publish(): Promise<void> {
    await this.mount.run('Renaming', async () => {
      await assertInside(this.mount, this.#name);
      await rename(this.#path, this.mount.at(this.#name));
      await syncFolder(dirname(this.#path));
    });
    await this.mount.confirm();
  }

  /** Removes it. Never rejects. */
  async discard(): Promise<void> {
    await this.mount.close(this.#handle);
    await this.mount.discard(this.#path);
  }
}

/** Reads an open copy piece by piece, from `offset` on. Errors: as `Mount.run`. */
export async function* readPieces(mount: Mount, handle: FileHandle, offset: number): AsyncGenerator<Buffer> {
  for (let position = offset; ; ) {
    const { buffer, bytesRead } = await mount.run('Reading', () =>
      handle.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, position),
    );
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Copies a file from one mount to others, date and mode included; its size. Errors: as {@link lookAt}, `ERR_FILE_CHANGED`. */
export async function copyShared(name: string, from: Mount, copy: SharedCopy, to: Mount): Promise<number> {
  const handle = await openShared(from, name);
  if (handle === undefined) throw changed(name);
  let staged: StagedFile | undefined;
  try {
    staged = await StagedFile.open(to, name);
    for await (const piece of readPieces(from, handle, 0)) await staged.write(piece);
    const { size, mtimeMs } = await from.run('Looking at a file', () => handle.stat());
    if (sharedVersion(size, mtimeMs) !== copy.version) throw changed(name);
    await staged.finish(copy.mode, new Date(copy.modifiedMs));
    await staged.publish();
    return size;
  } catch (error) {
    await staged?.discard();
    throw error;
  } finally {
    await from.close(handle);
  }
}

/** The SHA-256 of a copy in hexadecimal; undefined when there is none. Errors: as {@link lookAt}. */
export async function checksumOf(mount: Mount, name: string): Promise<string | undefined> {
  const handle = await openShared(mount, name);
  if (handle === undefined) return undefined;
  try {
    const hash = createHash('sha256');
    for await (const piece of readPieces(mount, handle, 0)) hash.update(piece);
    return hash.digest('hex');
  } finally {
    await mount.close(handle);
  }
}

function changed(name: string): StormlampError {
  return new StormlampError(ErrorCode.FILE_CHANGED, `${name} was replaced while it was copied`);
}
