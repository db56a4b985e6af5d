/** Options of a session store in files, their defaults and their checks. */

import {
  invalidOption,
  readChoice,
  readNumber,
  readStrings,
  rejectUnknownOptions,
} from '../common/option-reader.js';
import type { FileOwner } from '../files/file-owner.js';
import { checkMountPaths } from '../files/mirrored-mounts.js';
import {
  COMMON_SESSION_OPTION_NAMES,
  type CommonSessionOptions,
  type ResolvedCommonSessionOptions,
  resolveCommonSessionOptions,
} from './common-session-options.js';
import { parseSavePath } from './file-save-path.js';

/** How the session store finds, reads and writes PHP's session files. */
export interface FileSessionOptions extends CommonSessionOptions {
  /**
   * PHP's `session.save_path`, `[depth;[mode;]]path`. Several are mounts that mirror each other: the first one is where
   * PHP keeps its sessions, and decides; all must have the same depth and mode, and the same order everywhere.
   */
  readonly mounts: readonly string[];
  /** PHP's `session.save_handler`; what `mounts` mean anyway. */
  readonly handler?: 'files';
  /**
   * PHP's own configuration for everything that is not given here: the path of a php.ini (a `conf.d` beside it is read,
   * too), of a file with the output of `php -i`, or a list of files and folders.
   */
  readonly phpIni?: string | readonly string[];
  /**
   * How often files of ended sessions are removed, in milliseconds. Default 0: never, because PHP or cron does it. With
   * a depth nobody but cron does, as in PHP, and this must be 0.
   */
  readonly gcIntervalMs?: number;
  /**
   * Whom new files are given to. PHP reads only session files of its own user (or of root), with mode 0600. Needed only
   * when this process runs as root; by default the owner of the folder then.
   */
  readonly owner?: FileOwner;
  /** Largest session that is read or written, in bytes. Default 16 MiB. */
  readonly maxBytes?: number;
}

/** The options with every default filled in. */
export interface ResolvedFileSessionOptions extends ResolvedCommonSessionOptions {
  /** The folders. */
  readonly mounts: readonly string[];
  /** Folders between a mount and a file. */
  readonly depth: number;
  /** Permission bits of new files. */
  readonly mode: number;
  /** Pause between two removals of ended sessions; 0 for none. */
  readonly gcIntervalMs: number;
  /** Whom new files are given to; undefined leaves it to the folder. */
  readonly owner: FileOwner | undefined;
  /** Largest session. */
  readonly maxBytes: number;
}

/** The defaults that differ from those of sessions on memcached, or have no counterpart there. */
export const DEFAULT_FILE_SESSION_OPTIONS: {
  readonly operationTimeoutMs: number;
  readonly monitorIntervalMs: number;
  readonly gcIntervalMs: number;
  readonly maxBytes: number;
} = { operationTimeoutMs: 2_000, monitorIntervalMs: 5_000, gcIntervalMs: 0, maxBytes: 16_777_216 };

/** Their names. */
export const FILE_SESSION_OPTION_NAMES: readonly (keyof FileSessionOptions)[] = [
  'mounts',
  'handler',
  'phpIni',
  'gcIntervalMs',
  'owner',
  'maxBytes',
  ...COMMON_SESSION_OPTION_NAMES,
];

/**
 * Checks the options of a store in files and fills in the defaults. `phpIni` was read before.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option.
 */
export function resolveFileSessionOptions(
  given: FileSessionOptions,
  path = 'sessions',
): ResolvedFileSessionOptions {
  const d = DEFAULT_FILE_SESSION_OPTIONS;
  readChoice(`${path}.handler`, given.handler, ['files'], 'files');
  rejectUnknownOptions(path, given, FILE_SESSION_OPTION_NAMES);
  const { gcIntervalMs, owner, maxBytes } = given;
  const paths = readStrings(`${path}.mounts`, given.mounts, []).map((text, index) =>
    parseSavePath(`${path}.mounts[${index}]`, text),
  );
  const first = paths[0];
  if (first === undefined)
    throw invalidOption(`${path}.mounts`, 'a list of at least one folder', given.mounts);
  if (paths.some(({ depth, mode }) => depth !== first.depth || mode !== first.mode))
    throw invalidOption(`${path}.mounts`, 'a list of folders with one depth and one mode', given.mounts);
  const interval = readNumber(`${path}.gcIntervalMs`, gcIntervalMs, d.gcIntervalMs, { min: 0 });
  if (interval > 0 && first.depth > 0)
    throw invalidOption(`${path}.gcIntervalMs`, '0 for a save path with a depth, as in PHP', interval);
  return {
    ...resolveCommonSessionOptions(path, given, d),
    mounts: checkMountPaths(
      `${path}.mounts`,
      paths.map((one) => one.path),
    ),
    depth: first.depth,
    mode: first.mode,
    gcIntervalMs: interval,
    owner: readOwner(`${path}.owner`, owner),
    maxBytes: readNumber(`${path}.maxBytes`, maxBytes, d.maxBytes, { min: 1, integer: true }),
  };
}

function readOwner(path: string, owner: FileOwner | undefined): FileOwner | undefined {
  if (owner === undefined) return undefined;
  rejectUnknownOptions(path, owner, ['uid', 'gid']);
  const id = (name: 'uid' | 'gid'): number =>
    readNumber(`${path}.${name}`, owner[name], Number.NaN, { min: 0, integer: true });
  const [uid, gid] = [id('uid'), id('gid')];
  if (Number.isNaN(uid) || Number.isNaN(gid))
    throw invalidOption(path, 'an object with `uid` and `gid`', owner);
  return { uid, gid };
}
