/** The options that every session store has, wherever it keeps the sessions. */
import { invalidOption, readChoice, readNumber } from '../common/option-reader.js';
import { SESSION_HANDLERS, type SessionHandler } from '../php/session-handler.js';
import { CACHE_LIMITERS, type CacheLimiter, type CacheLimits } from './cache-limiter.js';
import {
  type ResolvedSessionCookie,
  resolveSessionCookie,
  type SessionCookieOptions,
} from './session-cookie-options.js';
import { type ResolvedSessionIds, resolveSessionIds, type SessionIdOptions } from './session-id-options.js';
import type { ConflictDecision, VariableConflict } from './session-merge.js';

/** How sessions are read and written, on memcached nodes and in files. */
export interface CommonSessionOptions {
  /** How many copies must have taken a save before it is acknowledged; of two a majority is both. Default `'one'`. */
  readonly acks?: 'one' | 'majority' | 'all';
  /** PHP's `session.serialize_handler`. Default `'php'`. */
  readonly serialize?: SessionHandler;
  /** Life of an unused session in milliseconds, PHP's `session.gc_maxlifetime` × 1000. Default 1 440 000. */
  readonly lifetimeMs?: number;
  /**
   * How requests that use one session at the same time meet. `'merge'` takes PHP's lock only for the moment of a save, and
   * merges variable by variable; `'lock'` holds it from load to save, as PHP does, so that they run one after the other;
   * `'last-write-wins'` overwrites what others saved. Default `'merge'`.
   */
  readonly conflict?: 'merge' | 'lock' | 'last-write-wins';
  /** Decides when two requests changed the same variable, or the same attribute of Symfony; by default the later save wins. */
  readonly onConflict?: (conflict: VariableConflict) => ConflictDecision;
  /** What a save does with a session that existed at load and is gone now. Default `'drop'`. */
  readonly onGone?: 'drop' | 'recreate';
  /**
   * What a request gets when no copy can be reached: an error, or an empty session that is not saved. Default `'error'`.
   */
  readonly onStoreDown?: 'error' | 'anonymous';
  /**
   * Which headers keep a response that uses a session out of caches, PHP's `session.cache_limiter`: `'nocache'`, `'private'`,
   * `'private_no_expire'`, `'public'`, or `''` for none. Headers that the application sets itself win. Default `'nocache'`,
   * as in PHP.
   */
  readonly cacheLimiter?: CacheLimiter;
  /** How long a response may be kept where `cacheLimiter` allows it, in milliseconds: PHP's `session.cache_expire` × 60 000. Default 10 800 000. */
  readonly cacheExpireMs?: number;
  /** Attributes of the cookie. */
  readonly cookie?: SessionCookieOptions;
  /** How ids are made and accepted. */
  readonly ids?: SessionIdOptions;
  /**
   * How long the old session stays after `regenerate`, in milliseconds, for requests that were under way; 0 removes it at
   * once, as PHP's `session_regenerate_id(true)` does. It holds what it held before, so it never has what a login brings.
   * Default 10 000.
   */
  readonly regenerateGraceMs?: number;
  /** How long the session lock is waited for, in milliseconds. Default 10 000. */
  readonly lockWaitMs?: number;
  /** Deadline of one operation on one copy, in milliseconds. Default 500 on memcached, 2 000 in files. */
  readonly operationTimeoutMs?: number;
  /** How often each node or mount is looked at, in milliseconds. Default 1 000 on memcached, 5 000 in files. */
  readonly monitorIntervalMs?: number;
}

/** The common options with every default filled in. */
export interface ResolvedCommonSessionOptions extends ResolvedSessionIds, CacheLimits {
  /** Copies that must have taken a save. */
  readonly acks: 'one' | 'majority' | 'all';
  /** Container. */
  readonly serialize: SessionHandler;
  /** Life of an unused session. */
  readonly lifetimeMs: number;
  /** How saves meet. */
  readonly conflict: 'merge' | 'lock' | 'last-write-wins';
  /** Decides conflicts. */
  readonly onConflict: (conflict: VariableConflict) => ConflictDecision;
  /** What a save does with a vanished session. */
  readonly onGone: 'drop' | 'recreate';
  /** What a request gets without a store. */
  readonly onStoreDown: 'error' | 'anonymous';
  /** Cookie attributes. */
  readonly cookie: ResolvedSessionCookie;
  /** How long a session that was replaced stays. */
  readonly regenerateGraceMs: number;
  /** Patience for the lock. */
  readonly lockWaitMs: number;
  /** Deadline of one operation on one copy. */
  readonly operationTimeoutMs: number;
  /** Pause between looks at a copy's node or mount. */
  readonly monitorIntervalMs: number;
}

/** The defaults that do not depend on where the sessions are; where PHP has a default, it is PHP's. */
export const DEFAULT_COMMON_SESSION_OPTIONS: {
  readonly acks: 'one';
  readonly serialize: 'php';
  readonly lifetimeMs: number;
  readonly conflict: 'merge';
  readonly onGone: 'drop';
  readonly onStoreDown: 'error';
  readonly cacheLimiter: 'nocache';
  readonly cacheExpireMs: number;
  readonly regenerateGraceMs: number;
  readonly lockWaitMs: number;
} = {
  acks: 'one',
  serialize: 'php',
  lifetimeMs: 1_440_000,
  conflict: 'merge',
  onGone: 'drop',
  onStoreDown: 'error',
  cacheLimiter: 'nocache',
  cacheExpireMs: 10_800_000,
  regenerateGraceMs: 10_000,
  lockWaitMs: 10_000,
};

/** Their names. */
export const COMMON_SESSION_OPTION_NAMES: readonly (keyof CommonSessionOptions)[] = [
  'acks',
  'serialize',
  'lifetimeMs',
  'conflict',
  'onConflict',
  'onGone',
  'onStoreDown',
  'cacheLimiter',
  'cacheExpireMs',
  'cookie',
  'ids',
  'regenerateGraceMs',
  'lockWaitMs',
  'operationTimeoutMs',
  'monitorIntervalMs',
];

/**
 * Checks the common options and fills in the defaults.
 *
 * @param own the defaults of the kind of store
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option.
 */
export function resolveCommonSessionOptions(
  path: string,
  options: CommonSessionOptions,
  own: { readonly operationTimeoutMs: number; readonly monitorIntervalMs: number },
): ResolvedCommonSessionOptions {
  const d = { ...DEFAULT_COMMON_SESSION_OPTIONS, ...own };
  const { onConflict = () => 'ours' } = options;
  if (typeof onConflict !== 'function') throw invalidOption(`${path}.onConflict`, 'a function', onConflict);
  const choice = <T extends string>(
    name: keyof CommonSessionOptions,
    choices: readonly T[],
    fallback: T,
  ): T => readChoice(`${path}.${name}`, options[name], choices, fallback);
  const duration = (
    name:
      | 'lifetimeMs'
      | 'cacheExpireMs'
      | 'regenerateGraceMs'
      | 'lockWaitMs'
      | 'operationTimeoutMs'
      | 'monitorIntervalMs',
    min: number,
  ): number => readNumber(`${path}.${name}`, options[name], d[name], { min });
  return {
    acks: choice('acks', ['one', 'majority', 'all'], d.acks),
    serialize: choice('serialize', SESSION_HANDLERS, d.serialize),
    lifetimeMs: duration('lifetimeMs', 1000),
    conflict: choice('conflict', ['merge', 'lock', 'last-write-wins'], d.conflict),
    onConflict,
    onGone: choice('onGone', ['drop', 'recreate'], d.onGone),
    onStoreDown: choice('onStoreDown', ['error', 'anonymous'], d.onStoreDown),
    cacheLimiter: choice('cacheLimiter', CACHE_LIMITERS, d.cacheLimiter),
    cacheExpireMs: duration('cacheExpireMs', 0),
    cookie: resolveSessionCookie(`${path}.cookie`, options.cookie),
    ...resolveSessionIds(`${path}.ids`, options.ids),
    regenerateGraceMs: duration('regenerateGraceMs', 0),
    lockWaitMs: duration('lockWaitMs', 0),
    operationTimeoutMs: duration('operationTimeoutMs', 1),
    monitorIntervalMs: duration('monitorIntervalMs', 50),
  };
}
