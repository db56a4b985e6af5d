/** A session store over a place of the application's own: it brings four methods about bytes, and gets everything else. */
import { invalidOption, readString, rejectUnknownOptions } from '../common/option-reader.js';
import { BackendSessions } from './backend-sessions.js';
import {
  COMMON_SESSION_OPTION_NAMES,
  type CommonSessionOptions,
  type ResolvedCommonSessionOptions,
  resolveCommonSessionOptions,
} from './common-session-options.js';
import { CommonSessionStore } from './common-session-store.js';
import type { SessionBackend } from './session-backend.js';
import type { SessionStoreEvents } from './session-events.js';

/** What a store of one's own can be told: what every store can, but for what is about copies and their nodes. */
export type CustomSessionOptions = Omit<CommonSessionOptions, 'acks' | 'monitorIntervalMs'>;

const OPTION_NAMES = COMMON_SESSION_OPTION_NAMES.filter(
  (name) => name !== 'acks' && name !== 'monitorIntervalMs',
);
const DEFAULTS = { operationTimeoutMs: 2_000, monitorIntervalMs: 5_000 };
const METHODS = ['read', 'write', 'touch', 'remove'] as const;
const OPTIONAL_METHODS = ['lock', 'close'] as const;

/** PHP's sessions in a backend of the application's own. Made by `createCustomSessionStore`. */
export class CustomSessionStore extends CommonSessionStore<ResolvedCommonSessionOptions, SessionStoreEvents> {
  /** Tells it from the other stores. */
  readonly kind: 'custom' = 'custom';

  /** @internal */
  constructor(options: ResolvedCommonSessionOptions, backend: SessionBackend) {
    super(new BackendSessions(options, backend));
  }
}

/**
 * A session store over a `backend` of one's own: ids, PHP's format, merges, locks among the requests of this process, deadlines,
 * `regenerate` and the middleware work as with the other stores. `operationTimeoutMs` (default 2 000) limits each call of the backend
 * but `lock`, which `lockWaitMs` limits.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option, or the method that the backend lacks.
 */
export function createCustomSessionStore(
  backend: SessionBackend,
  options: CustomSessionOptions = {},
): CustomSessionStore {
  if (typeof backend !== 'object' || backend === null) throw invalidOption('backend', 'an object', backend);
  for (const method of METHODS)
    if (typeof backend[method] !== 'function')
      throw invalidOption(`backend.${method}`, 'a function', backend[method]);
  for (const method of OPTIONAL_METHODS)
    if (backend[method] !== undefined && typeof backend[method] !== 'function')
      throw invalidOption(`backend.${method}`, 'a function', backend[method]);
  readString('backend.name', backend.name, 'backend');
  rejectUnknownOptions('options', options, OPTION_NAMES);
  return new CustomSessionStore(resolveCommonSessionOptions('options', options, DEFAULTS), backend);
}
