/** One copy of a session file, as it was read. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { pause } from '../common/backoff.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { closeQuietly } from '../files/close-quietly.js';
import { processUser } from '../files/file-owner.js';
import type { Flock } from '../files/flock.js';
import { assertRegular } from '../files/locked-file.js';
import type { CopyVersion } from '../files/missed-writes.js';
import type { Mount } from '../files/mount.js';
import { errnoOf, unlessMissing } from '../files/mount-health.js';
import { readWhole } from '../files/write-in-place.js';
import { assertOwnFile, denied } from './file-owner.js';

/** A copy's contents. */
export interface FileCopy extends CopyVersion {
  /** The session's bytes; null when there is no file. */
  readonly bytes: Buffer | null;
  /** When the file was made, in milliseconds since 1970; 0 where the file system does not tell. */
  readonly bornMs: number;
}

/** No file. */
export const NO_COPY: FileCopy = Object.freeze({
  bytes: null,
  version: null,
  modifiedMs: 0,
  changedMs: 0,
  bornMs: 0,
});

/** The version of a session's bytes. */
export function versionOf(bytes: Buffer | null): string | null {
  return bytes === null ? null : createHash('sha256').update(bytes).digest('hex');
}

/** Reads the file behind an open handle, which the caller has locked or is trying its luck with. */
export async function readCopy(handle: FileHandle, maxBytes: number): Promise<FileCopy> {
  const { mtimeMs, ctimeMs, birthtimeMs } = await handle.stat();
  const bytes = await readWhole(handle, maxBytes);
  if (bytes === undefined) {
    throw new StormlampError(
      ErrorCode.SESSION_TOO_LARGE,
      `The session file is larger than \`sessions.maxBytes\` (${maxBytes})`,
    );
  }
  // Where nothing better is known, the system gives the date of the last change for it.
  const bornMs = birthtimeMs === ctimeMs ? 0 : birthtimeMs;
  return { bytes, version: versionOf(bytes), modifiedMs: mtimeMs, changedMs: ctimeMs, bornMs };
}

/** A file that has been empty for so long, by its date, is that of a session without variables. */
const EMPTY_FOR_MS = 1_000;
/** Until then it is looked at again after so long. */
const EMPTY_PAUSE_MS = 25;

/**
 * Reads a session file without waiting for a PHP page that holds its lock, because a page may hold it for minutes.
 *
 * With a shared lock, where it can be had, the contents are certain. Otherwise the file is read as it is: PHP writes only
 * when its page ends, all at once, so nearly always these are the whole contents from before. Two equal readings, and
 * bytes that make sense, are taken for that, an empty file once it is a second old; otherwise the answer is `'unsure'`, and the caller waits for the lock.
 *
 * @param sound whether bytes make sense
 */
export async function peekCopy(
  mount: Mount,
  path: string,
  flock: Flock,
  maxBytes: number,
  sound: (bytes: Buffer) => boolean,
): Promise<FileCopy | 'unsure'> {
  const handle = await openForReading(mount, path);
  if (handle === undefined) {
    await mount.confirm();
    return NO_COPY;
  }
  try {
    for (let waited = 0; ; waited += EMPTY_PAUSE_MS) {
      const locked = await mount.run('Locking', () => flock.tryLock(handle.fd, 'shared'));
      const copy = await mount.run('Reading', () => readCopy(handle, maxBytes));
      if (locked) return copy;
      const again = await mount.run('Reading', () => readCopy(handle, maxBytes));
      const steady = again.version === copy.version && again.modifiedMs === copy.modifiedMs;
      const { bytes } = copy;
      if (!steady || bytes === null) return 'unsure';
      if (bytes.length > 0) return sound(bytes) ? copy : 'unsure';
      // PHP empties a file right before it writes it, and makes empty files for sessions that get their first variables.
      if (Date.now() - copy.modifiedMs > EMPTY_FOR_MS) return copy;
      if (waited > EMPTY_FOR_MS) return 'unsure';
      await pause(EMPTY_PAUSE_MS);
    }
  } finally {
    await mount.close(handle);
  }
}

/** Turns the refusals of the system into one that says what to do. */
export function explainDenied(error: unknown): unknown {
  const code = errnoOf(error);
  if (code === 'EACCES' || code === 'EPERM') return denied('The session file may not be opened', error);
  if (code === 'ELOOP')
    return new StormlampError(
      ErrorCode.UNSUPPORTED,
      'The session file is a symbolic link, which PHP does not follow either',
      { cause: error },
    );
  return error;
}

async function openForReading(mount: Mount, path: string): Promise<FileHandle | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  return mount.run(
    'Opening',
    async () => {
      const handle = await unlessMissing(open(path, flags));
      if (handle === undefined) return undefined;
      try {
        await assertRegular(handle, path);
        assertOwnFile(await handle.stat(), processUser());
        return handle;
      } catch (error) {
        await closeQuietly(handle);
        throw error;
      }
    },
    (handle) => void (handle && mount.close(handle)),
  );
}
