/** What the middleware and other users of sessions need of a store, whatever keeps the sessions. */
import { type CallOptions, Deadline } from '../common/deadline.js';
import type { CacheLimits } from './cache-limiter.js';
import type { Session } from './session.js';
import type { ResolvedSessionCookie } from './session-cookie-options.js';

/** How a session is loaded. */
export interface LoadOptions extends CallOptions {
  /**
   * Whether PHP's session lock is taken with it, and held until the session is saved, destroyed or released.
   * Default: true where the store's `conflict` is `'lock'`.
   */
  readonly lock?: boolean | undefined;
}

/** How a session gets a new id. */
export interface RegenerateOptions extends CallOptions {
  /**
   * How long the old session stays as it was, in milliseconds, for requests that the browser sent before it learnt the new id; what
   * those save goes with it. 0 removes it at once: use it where this request took a right away by giving a variable another value,
   * which the old session would keep for that long. Default: the store's `regenerateGraceMs`.
   */
  readonly graceMs?: number | undefined;
}

/** The deadline of a call of a store. Errors: as `Deadline.ofCall`. */
export function sessionDeadline(options: CallOptions | undefined): Deadline {
  return Deadline.ofCall(options, 0, CALL_NAMES);
}

/** The names that calls of a store take besides those of every call. */
const CALL_NAMES: readonly string[] = ['lock', 'graceMs'];

/** What a save did. */
export interface SessionSaveResult {
  /** What happened to the stored session; `gone` means that it was destroyed meanwhile and not recreated. */
  readonly outcome: 'saved' | 'unchanged' | 'gone';
  /** Nodes or mounts that hold the saved bytes. */
  readonly copies: readonly string[];
}

/** The options of a store that its users look at. */
export interface SessionStorePortOptions extends CacheLimits {
  /** Cookie attributes. */
  readonly cookie: ResolvedSessionCookie;
  /** Which ids are let in. */
  readonly accept: RegExp;
  /** Whether an id that the store does not hold is replaced by a new one. */
  readonly strict: boolean;
  /** What a request gets without a store. */
  readonly onStoreDown: 'error' | 'anonymous';
}

/** A store of PHP's sessions: on memcached nodes, or in files. */
export interface SessionStorePort {
  /** The options in force. */
  readonly options: SessionStorePortOptions;
  /** A session that is not in the store: it gets there by `save`, once it has a variable. */
  create(): Session;
  /** Reads a session. One that is not there is returned with `exists` false and the id that was asked for. */
  load(id: string, options?: LoadOptions): Promise<Session>;
  /** Stores the variables that were changed since the session was loaded. After an error nothing in `session` is lost. */
  save(session: Session, options?: CallOptions): Promise<SessionSaveResult>;
  /** Renews the life of every copy. */
  touch(id: string, options?: CallOptions): Promise<void>;
  /** `touch` of a session that was just loaded, which nobody waits for; `close` does. */
  touchLater(id: string): void;
  /** Removes every copy. */
  destroy(id: string, options?: CallOptions): Promise<void>;
  /** Saves the session's variables under a new id and retires the old session; the session with the new id. */
  regenerate(session: Session, options?: RegenerateOptions): Promise<Session>;
  /** Reads the stored bytes of a session, undecoded; null when it is not there. */
  readRaw(id: string, options?: CallOptions): Promise<Buffer | null>;
  /** Stores bytes as they are on every copy, under the lock. */
  writeRaw(id: string, bytes: Uint8Array, options?: CallOptions): Promise<SessionSaveResult>;
  /** Tells listeners of `save-failed`, or `save-dropped` for `ERR_SESSION_GONE`, about a save whose caller cannot be told any more. */
  reportSaveFailure(error: unknown): void;
  /** Waits for what is under way, then lets go of everything. */
  close(): Promise<void>;
}
