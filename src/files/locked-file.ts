/** A file that is open and locked as PHP locks its session files. */
import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { backoffMs, pause } from '../common/backoff.js';
import type { Deadline } from '../common/deadline.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { closeQuietly } from './close-quietly.js';
import type { FileOwner } from './file-owner.js';
import type { Flock } from './flock.js';
import { makeFolders } from './make-folders.js';
import type { Mount } from './mount.js';
import { errnoOf } from './mount-health.js';

/** How a file is opened and locked. */
export interface LockedFileOptions {
  /** The mount. */
  readonly mount: Mount;
  /** The file's absolute path on it. */
  readonly path: string;
  /** Takes the lock. */
  readonly flock: Flock;
  /** How a file that is not there is made; left out, it is not. */
  readonly create?: FileCreation | undefined;
  /** How long the lock is waited for. */
  readonly patience: Deadline;
}

/** How new files are made. */
export interface FileCreation {
  /** Permission bits of files, before the process's umask. */
  readonly mode: number;
  /** Whom they are given to, when it is not this process's user. */
  readonly owner?: FileOwner | undefined;
}

/** See the head of this file. */
export interface LockedFile {
  /** The mount it is on. */
  readonly mount: Mount;
  /** Its path. */
  readonly path: string;
  /** The open file; closing it ends the lock. */
  readonly handle: FileHandle;
  /** Whether it did not exist before. */
  readonly created: boolean;
  /** Whether it is open for reading only, because the mount is read-only. */
  readonly readOnly: boolean;
}

/**
 * Opens and locks a file. Symbolic links are not followed, and what is no regular file is refused.
 *
 * The lock counts only when the file is still the one of that name: PHP removes session files under their lock, and
 * whoever waited for it would then hold the lock of nothing, and write there.
 *
 * @returns `'absent'` when there is no such file and none shall be made, `'busy'` when the lock could not be had
 * @throws StormlampError `ERR_MOUNT_DOWN`, `ERR_TIMEOUT` (of the mount), `ERR_ABORTED`; NodeJS.ErrnoException.
 */
export async function openLocked(options: LockedFileOptions): Promise<LockedFile | 'absent' | 'busy'> {
  const { mount, path, flock, patience } = options;
  let attempt = 0;
  for (;;) {
    const opened = await openOnce(options);
    if (opened === undefined) {
      await mount.confirm();
      return 'absent';
    }
    let kept = false;
    try {
      for (;;) {
        if (await mount.run('Locking', () => flock.tryLock(opened.handle.fd, 'exclusive'))) break;
        if (patience.remainingMs() === 0) return 'busy';
        await pause(
          Math.min(backoffMs(attempt, { firstMs: 2, maxMs: 50 }), patience.remainingMs()),
          patience.signal,
        );
        attempt += 1;
        if (patience.signal?.aborted === true) patience.check('Waiting for the lock of a file');
      }
      if (await isStillNamed(mount, path, opened.handle)) {
        kept = true;
        return opened;
      }
    } finally {
      if (!kept) await mount.close(opened.handle);
    }
  }
}

/** Refuses what is no regular file: a device or a pipe in a shared folder could block or feed whoever reads it. */
export async function assertRegular(handle: FileHandle, path: string): Promise<void> {
  if ((await handle.stat()).isFile()) return;
  throw new StormlampError(ErrorCode.UNSUPPORTED, `${path} is not a regular file; it was not touched`);
}

async function openOnce(options: LockedFileOptions): Promise<LockedFile | undefined> {
  const { mount, path, create } = options;
  const flags = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const late = (file: LockedFile | undefined): void => void (file && mount.close(file.handle));
  return mount.run(
    'Opening',
    async () => {
      try {
        return await checked(options, await open(path, flags), false, false);
      } catch (error) {
        const code = errnoOf(error);
        // A read-only mount can be locked and read, which is what its copy is still good for.
        if (code === 'EROFS') return await openReadOnly(options);
        if (code !== 'ENOENT') throw error;
        if (create === undefined) return undefined;
      }
      return createFile(options, create, flags);
    },
    late,
  );
}

async function openReadOnly(options: LockedFileOptions): Promise<LockedFile> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  return checked(options, await open(options.path, flags), false, true);
}

async function createFile(
  options: LockedFileOptions,
  create: FileCreation,
  flags: number,
): Promise<LockedFile> {
  const { mount, path } = options;
  const { mode, owner } = create;
  const make = (): Promise<FileHandle> => open(path, flags | constants.O_CREAT | constants.O_EXCL, mode);
  let handle: FileHandle;
  try {
    handle = await make().catch(async (error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
      await makeFolders(mount.path, dirname(path), { mode: 0o700, owner });
      return make();
    });
  } catch (error) {
    // Made by somebody else meanwhile.
    if (errnoOf(error) === 'EEXIST') return checked(options, await open(path, flags), false, false);
    throw error;
  }
  if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
  return checked(options, handle, true, false);
}

async function checked(
  { mount, path }: LockedFileOptions,
  handle: FileHandle,
  created: boolean,
  readOnly: boolean,
): Promise<LockedFile> {
  try {
    await assertRegular(handle, path);
    return { mount, path, handle, created, readOnly };
  } catch (error) {
    await closeQuietly(handle);
    throw error;
  }
}

async function isStillNamed(mount: Mount, path: string, handle: FileHandle): Promise<boolean> {
  return mount.run('Checking the locked file', async () => {
    const held = await handle.stat({ bigint: true });
    try {
      const named = await stat(path, { bigint: true });
      return named.ino === held.ino && named.dev === held.dev;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw error;
    }
  });
}
