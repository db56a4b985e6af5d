/** Options of a session store in files, their defaults and their checks. */

import { invalidOption, readNumber, readStrings, rejectUnknownOptions } from '../common/option-reader.js';
import { checkMountPaths } from '../files/mirrored-mounts.js';
import type { SessionHandler } from '../php/session-handler.js';
import { parseSavePath } from './file-save-path.js';
import type { SessionCookieOptions } from './session-cookie.js';
import type { ConflictDecision, VariableConflict } from './session-merge.js';
import {
  type ResolvedSessionOptions,
  resolveSessionOptions,
  type SessionIdOptions,
} from './session-options.js';

/** Whom new files are given to. */
export interface FileOwner {
  /** User id. */
  readonly uid: number;
  /** Group id. */
  readonly gid: number;
}

/** How the session store finds, reads and writes PHP's session files. */
export interface FileSessionOptions {
  /**
   * PHP's `session.save_path`, `[depth;[mode;]]path`. Several are mounts that mirror each other: the first one is where
   * PHP keeps its sessions, and decides; all must have the same depth and mode, and the same order everywhere.
   */
  readonly mounts: readonly string[];
  /** How many mounts must have taken a save before it is acknowledged. Default `'one'`. */
  readonly acks?: 'one' | 'majority' | 'all';
  /** PHP's `session.serialize_handler`. Default `'php'`. */
  readonly serialize?: SessionHandler;
  /** Life of an unused session in milliseconds, PHP's `session.gc_maxlifetime` × 1000. Only `gcIntervalMs` uses it. */
  readonly lifetimeMs?: number;
  /**
   * How requests that use one session at the same time meet. `'merge'` takes PHP's lock for the moment of saving, and
   * merges variable by variable; `'lock'` holds it from load to save, as PHP does; `'last-write-wins'` overwrites, under
   * the lock for the moment of saving. Default `'merge'`.
   */
  readonly conflict?: 'merge' | 'lock' | 'last-write-wins';
  /** Decides when two requests changed the same variable; by default the later save wins. */
  readonly onConflict?: (conflict: VariableConflict) => ConflictDecision;
  /** What a save does with a session that existed at load and is gone now. Default `'drop'`. */
  readonly onGone?: 'drop' | 'recreate';
  /** What a request gets when no mount can be used: an error, or an empty session that is not saved. */
  readonly onStoreDown?: 'error' | 'anonymous';
  /** Attributes of the cookie. */
  readonly cookie?: SessionCookieOptions;
  /** How ids are made and accepted. */
  readonly ids?: SessionIdOptions;
  /** How long a lock is waited for, in milliseconds. Default 10 000. */
  readonly lockWaitMs?: number;
  /** Deadline of one file call, in milliseconds; a mount that misses it is hung and left alone. Default 2 000. */
  readonly operationTimeoutMs?: number;
  /** Pause between two looks at the mounts, in milliseconds. Default 5 000. */
  readonly monitorIntervalMs?: number;
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
export interface ResolvedFileSessionOptions
  extends Pick<
    ResolvedSessionOptions,
    | 'acks'
    | 'serialize'
    | 'lifetimeMs'
    | 'conflict'
    | 'onConflict'
    | 'onGone'
    | 'onStoreDown'
    | 'cookie'
    | 'accept'
    | 'idFormat'
    | 'lockWaitMs'
    | 'operationTimeoutMs'
    | 'monitorIntervalMs'
  > {
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

const OWN = ['mounts', 'gcIntervalMs', 'owner', 'maxBytes'] as const;
const COMMON = [
  'acks',
  'serialize',
  'lifetimeMs',
  'conflict',
  'onConflict',
  'onGone',
  'onStoreDown',
  'cookie',
  'ids',
  'lockWaitMs',
  'operationTimeoutMs',
  'monitorIntervalMs',
] as const;

/**
 * Checks the options and fills in the defaults.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option.
 */
export function resolveFileSessionOptions(
  given: FileSessionOptions,
  path = 'sessions',
): ResolvedFileSessionOptions {
  const d = DEFAULT_FILE_SESSION_OPTIONS;
  rejectUnknownOptions(path, given, [...OWN, ...COMMON]);
  const { mounts: _mounts, gcIntervalMs, owner, maxBytes, ...common } = given;
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
  // What both kinds of stores have in common is checked where it is defined; that one wants a node, and it is dropped.
  const resolved = resolveSessionOptions(
    {
      operationTimeoutMs: d.operationTimeoutMs,
      monitorIntervalMs: d.monitorIntervalMs,
      ...common,
      nodes: ['localhost:11211'],
    },
    path,
  );
  return {
    mounts: checkMountPaths(
      `${path}.mounts`,
      paths.map((one) => one.path),
    ),
    depth: first.depth,
    mode: first.mode,
    gcIntervalMs: interval,
    owner: readOwner(`${path}.owner`, owner),
    maxBytes: readNumber(`${path}.maxBytes`, maxBytes, d.maxBytes, { min: 1, integer: true }),
    acks: resolved.acks,
    serialize: resolved.serialize,
    lifetimeMs: resolved.lifetimeMs,
    conflict: resolved.conflict,
    onConflict: resolved.onConflict,
    onGone: resolved.onGone,
    onStoreDown: resolved.onStoreDown,
    cookie: resolved.cookie,
    accept: resolved.accept,
    idFormat: resolved.idFormat,
    lockWaitMs: resolved.lockWaitMs,
    operationTimeoutMs: resolved.operationTimeoutMs,
    monitorIntervalMs: resolved.monitorIntervalMs,
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
