/** Turns what the file system refuses into an error that names the folder, the reason and the remedy. */
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';

/** A folder that the user can choose. */
export interface Storage {
  /** What it is, at the beginning of a sentence. */
  readonly what: string;
  /** Where it is. */
  readonly path: string;
  /** The environment variable that names another one. */
  readonly variable: string;
  /** The code of the error. */
  readonly code: ErrorCode;
}

/** The folder for temporary files, which holds data and logs of the servers. */
export function temporaryStorage(path: string): Storage {
  return {
    what: 'The folder for temporary files',
    path,
    variable: 'TMPDIR',
    code: ErrorCode.SERVER_START,
  };
}

/** The cache, which holds server programs. */
export function cacheStorage(path: string): Storage {
  return { what: 'The cache folder', path, variable: 'STORMLAMP_CACHE', code: ErrorCode.SERVER_MISSING };
}

const FULL = 'has not enough free space: free some, or set';
const CLOSED = 'cannot be written by this user: change that, or set';
const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EFBIG: FULL,
  EROFS: CLOSED,
  EACCES: CLOSED,
  EPERM: CLOSED,
  ENOENT: 'is not there: make it, or set',
  ENOTDIR: 'is no folder: set',
  ENAMETOOLONG: 'has too long a name: set',
  EIO: 'is on a disk that fails: set',
};
/** Calls of the system that have nothing to do with files and fail with some of the same codes. */
const ELSEWHERE = /^(?:spawn|connect|listen|bind|kill|getaddrinfo|uv_)/;

/** The error of `storage` for what a file operation has thrown; anything else is given back as it is. */
export function storageError(storage: Storage, error: unknown): unknown {
  if (isStormlampError(error) || !(error instanceof Error)) return error;
  const { code = '', syscall, path, dest } = error as NodeJS.ErrnoException & { readonly dest?: string };
  const reason = REASONS[code];
  if (reason === undefined || syscall === undefined || ELSEWHERE.test(syscall)) return error;
  // A write tells no path.
  const isInside = [path, dest].some((each) => each?.startsWith(storage.path) === true);
  if (path !== undefined && !isInside) return error;
  return new StormlampError(
    storage.code,
    `${storage.what} ${storage.path} ${reason} ${storage.variable} to another one (${error.message})`,
    { cause: error },
  );
}

/**
 * Does `work`, which uses `storage`.
 *
 * @throws StormlampError for what the file system refuses, with the code of `storage`.
 */
export async function usingStorage<T>(storage: Storage, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(storage, error);
  }
}
