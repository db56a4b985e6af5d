/** What is known about one mount, and what the system's error codes say about it. */
import { constants } from 'node:os';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** The state of one mount. */
export type MountHealth =
  | {
      /** Nobody has looked yet. */
      readonly phase: 'unknown';
    }
  | {
      /** Reads and writes work. */
      readonly phase: 'healthy';
    }
  | {
      /** It is being filled: it takes writes, and answers no reads yet. */
      readonly phase: 'filling';
    }
  | {
      /** Reads work, the last write did not. Writes are still tried. */
      readonly phase: 'impaired';
      /** Why writes fail. */
      readonly why: 'full' | 'read-only' | 'denied';
      /** The system's error. */
      readonly error: Error;
    }
  | {
      /** It is left alone until a look at it succeeds. */
      readonly phase: 'down';
      /**
       * `missing`: the folder is not there. `unmarked`: it is there without our mark, so it is either not mounted or
       * new. `hung`: a call did not come back. `failing`: its storage reports errors.
       */
      readonly why: 'missing' | 'unmarked' | 'hung' | 'failing';
      /** What was seen. */
      readonly error: Error;
    };

/** What an error of a file operation says about the mount; undefined when it only says something about the file. */
export function mountHealthAfter(error: unknown): MountHealth | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = errnoOf(error);
  if (code === undefined) return undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') return { phase: 'impaired', why: 'full', error };
  if (code === 'EROFS') return { phase: 'impaired', why: 'read-only', error };
  return FAILING.has(code) ? { phase: 'down', why: 'failing', error } : undefined;
}

/** The system's name of an error, like `ENOENT`; also of those that libuv does not know, ESTALE and EDQUOT among them. */
export function errnoOf(error: unknown): string | undefined {
  const { code, errno } = (error ?? {}) as { code?: unknown; errno?: unknown };
  if (typeof code !== 'string') return undefined;
  if (!code.startsWith('Unknown system error') || typeof errno !== 'number') return code;
  return ERRNO_NAMES.get(-errno) ?? code;
}

/** Node tells them apart by number; the last one it does not know either. */
const ERRNO_NAMES: ReadonlyMap<number, string> = new Map([
  ...(process.platform === 'linux' ? [[117, 'EUCLEAN'] as const] : []),
  ...Object.entries(constants.errno).map(([name, number]) => [number, name] as const),
]);

/** `work`, or undefined where there is no such file or folder: a file in the place of a folder on the way holds none, either. */
export async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Whether an error says that there is no such file or folder. */
export function isMissing(error: unknown): boolean {
  const code = errnoOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** The error of a mount that is not used. */
export function mountDown(path: string, health: MountHealth): StormlampError {
  const why = 'why' in health ? health.why : health.phase;
  const cause = 'error' in health ? health.error : undefined;
  const what = {
    missing: 'is not there',
    unmarked:
      'has no mark of stormlamp: it is not mounted, or new; mount it, or call `fill` with it when it is new',
    hung: 'does not answer',
    failing: 'reports errors of its storage',
    filling: 'is still being filled',
    unknown: 'was not looked at yet',
    healthy: 'is healthy',
    full: 'is full',
    'read-only': 'is read-only',
    denied: 'cannot be written by this user',
  }[why];
  const detail = cause === undefined ? '' : `: ${cause.message}`;
  return new StormlampError(ErrorCode.MOUNT_DOWN, `The mount ${path} ${what}${detail}`, {
    cause,
    node: path,
  });
}

/** Codes by which the storage below a file system, or the network to it, says that it failed. */
const FAILING: ReadonlySet<string> = new Set([
  'EIO',
  'ESTALE',
  'ENOTCONN',
  'ENODEV',
  'ENXIO',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EREMOTEIO',
  'ESHUTDOWN',
  'EUCLEAN',
]);
