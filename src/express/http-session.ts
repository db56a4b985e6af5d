/** The session of one HTTP request: loaded from PHP's cookie, saved before the response ends. Works with plain `node:http`. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CallOptions } from '../common/deadline.js';
import { invalidOption, readBoolean, rejectUnknownOptions } from '../common/option-reader.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type { Session } from '../session/session.js';
import { formatSessionCookie, readSessionCookie } from '../session/session-cookie.js';
import type { SessionStorePort } from '../session/session-store-port.js';
import { limitCaching } from './limit-caching.js';
import { isResponse, NO_RESPONSE, type SessionResponse } from './no-response.js';
import { RequestSession, type RequestSessionPort } from './request-session.js';
import { isSecure, keepCookie } from './response-cookie.js';
import { sessionGone } from './session-gone.js';

/** A store of sessions, or a cluster that has one. */
export type SessionSource = SessionStorePort | { readonly sessions: SessionStorePort };

/** Options of {@link loadSession} and `phpSession`. */
export interface PhpSessionOptions {
  /** Reads the session without ever locking, writing or touching it. Default false. */
  readonly readOnly?: boolean;
}

/** What has to be done with a session when its response ends. */
type Work =
  | { readonly kind: 'nothing' | 'touch' | 'save' }
  | { readonly kind: 'refuse'; readonly error: unknown };

/** What happens when the connection of a response closes. */
interface AtClosePort {
  /** Whether what was changed has to be saved. */
  begin(): boolean;
  /** It is saved. */
  saved(): void;
  failed(error: unknown): void;
}

/** The session of one request, and the way to end it. Made by {@link loadSession}. */
export class HttpSession {
  /** The variables, and what can be done with the session as a whole. */
  readonly session: RequestSession;
  readonly #store: SessionStorePort;
  readonly #request: IncomingMessage;
  readonly #response: SessionResponse;
  readonly #saves: boolean;
  /** The id that the browser has, or gets with the headers. */
  #announced: string | undefined;
  /** Whether the browser gets the cookie again, so that it lives longer. */
  #renews: boolean;
  /** Whether a save came to nothing. */
  #failed = false;
  #atClose: () => Promise<void> = () => this.session.release();

  /** @internal */
  constructor(
    store: SessionStorePort,
    request: IncomingMessage,
    response: SessionResponse,
    loaded: {
      readonly session: Session;
      readonly known: boolean;
      readonly mode: RequestSessionPort['mode'];
      readonly missed?: RequestSessionPort['missed'];
    },
  ) {
    this.#store = store;
    this.#request = request;
    this.#response = response;
    this.#saves = loaded.mode === 'read-write';
    this.session = new RequestSession(loaded.session, {
      store,
      mode: loaded.mode,
      missed: loaded.missed,
      cookieCanBeSent: () => !response.headersSent,
      hasResponse: response !== NO_RESPONSE,
      isHeardOf: (id) => id === this.#announced,
    });
    this.#announced = loaded.known ? this.session.id : undefined;
    this.#renews = loaded.known && this.#saves && store.options.cookie.rolling;
    // A connection that breaks off ends the request for everybody who waits for the lock.
    response.once('close', () => void this.#atClose().catch(() => undefined));
    if (response.destroyed) void this.session.release();
  }

  /**
   * Ends the session: saves what was changed, tells the browser a new id, gives the lock back. Call it before
   * `response.end()`, and before the headers are sent where a session may be new. An unchanged session is touched, which
   * nobody waits for.
   *
   * @throws StormlampError as `SessionStore.save`, and `ERR_UNSUPPORTED` for a new session whose id the browser cannot learn
   * any more.
   */
  save(options?: CallOptions): Promise<void> {
    return this.#end(this.#work(), options);
  }

  /** @internal The same, and whether the end of the response has to wait for it. */
  finish(): { readonly wait: boolean; readonly saved: Promise<void> } {
    const work = this.#work();
    const wait = work.kind === 'save' || work.kind === 'refuse' || this.session.locked;
    return { wait, saved: this.#end(work) };
  }

  async #end(work: Work, options?: CallOptions): Promise<void> {
    try {
      if (work.kind === 'nothing') return;
      if (work.kind === 'refuse') throw work.error;
      if (work.kind === 'touch') {
        this.#store.touchLater(this.session.id);
        // It may have got a new id, and been saved with it, meanwhile.
        this.announce();
        return;
      }
      if (this.#response.headersSent && this.session.id !== this.#announced) throw unannounced();
      if ((await this.session.save(options)) === 'gone') {
        this.#failed = true;
        this.#store.reportSaveFailure(sessionGone());
      }
      this.announce();
    } catch (error) {
      this.#failed = true;
      if (!this.session.isNew || !isForgiven(this.#store, error)) throw error;
      this.#store.reportSaveFailure(error);
    } finally {
      await this.session.release();
    }
  }

  /**
   * @internal Adds the cookie to the headers when the browser does not have the id of a session that is, or will be, stored;
   * whether this told an id that the store does not hold yet.
   */
  announce(): boolean {
    const { session } = this;
    if (this.#response.headersSent) return false;
    if (session.id === this.#announced) {
      if (!this.#renews || this.#work().kind === 'nothing') return false;
    } else if (session.isNew && (this.#failed || this.#work().kind !== 'save')) return false;
    this.#renews = false;
    const context = { secureRequest: isSecure(this.#request), now: Date.now() };
    keepCookie(
      this.#response as ServerResponse,
      formatSessionCookie(this.#sealed(session.id), this.#store.options.cookie, context),
    );
    const unheard = session.isNew && session.id !== this.#announced;
    this.#announced = session.id;
    return unheard;
  }

  /** @internal Saves what was changed after the end of the response; nothing where that of before could not be saved. */
  async saveLate(): Promise<void> {
    const { headersSent } = this.#response;
    // Without headers no browser heard of a new session, nor will one.
    const isLost = !headersSent && this.session.isNew && this.session.id !== this.#announced;
    const { kind } = this.#failed || isLost ? { kind: 'nothing' } : this.#work();
    if (kind === 'save' || kind === 'refuse') await this.save();
  }

  /**
   * @internal Saves, when the response's connection closes and `begin()` says that nobody has saved yet, what was changed so
   * far, as PHP does at an abort: nobody may ever end the response now. A session that the browser could not find is not made.
   */
  saveAtClose(port: AtClosePort): void {
    this.#atClose = async () => {
      try {
        const isOpen = port.begin();
        if (isOpen && (this.session.id === this.#announced || !this.session.isNew)) await this.save();
        else await this.session.release();
        if (isOpen) port.saved();
      } catch (error) {
        port.failed(error);
      }
    };
  }

  #sealed(id: string): string {
    return this.#store.options.cookie.seal?.seal(id) ?? id;
  }

  #work(): Work {
    if (!this.#saves) return { kind: 'nothing' };
    try {
      return { kind: this.session.pending };
    } catch (error) {
      return { kind: 'refuse', error };
    }
  }
}

/**
 * Reads the session that the request's cookie names. A cookie whose id is not in the store is not adopted (no session
 * fixation); a new id is made once a variable is set and saved. The headers of PHP's cache limiter go out with the response
 * (`cacheLimiter`). `phpSession` does the same for Express by itself.
 *
 * @param response undefined where there is none, at the upgrade to a WebSocket say: no lock is held then, the session is saved when
 * `save()` is called, and one that the browser has no id of cannot be saved
 *
 * @throws StormlampError `ERR_STORE_DOWN` (unless `onStoreDown` is `'anonymous'`: then the session is empty and never
 * saved), `ERR_PHP_SYNTAX`, `ERR_SESSION_LOCKED`, `ERR_CLOSED`.
 */
export function loadSession(
  source: SessionSource,
  request: IncomingMessage,
  response: ServerResponse | undefined,
  options: PhpSessionOptions = {},
): Promise<HttpSession> {
  return openHttpSession(source, request, response, options, () => true);
}

/** @internal The same for a caller that loads sessions before anybody asked for one: `started()` tells whether somebody has. */
export async function openHttpSession(
  source: SessionSource,
  request: IncomingMessage,
  response: object | undefined,
  options: PhpSessionOptions,
  started: () => boolean,
): Promise<HttpSession> {
  rejectUnknownOptions('loadSession', options, ['readOnly']);
  const store = storeOf(source);
  const readOnly = readBoolean('readOnly', options.readOnly, false);
  const loaded = await load(store, request, !readOnly && isResponse(response));
  if (isResponse(response)) limitCaching(response, store.options, started);
  const mode = readOnly ? 'read-only' : loaded.missed === undefined ? 'read-write' : 'anonymous';
  return new HttpSession(store, request, isResponse(response) ? response : NO_RESPONSE, { ...loaded, mode });
}

/** @internal The store itself. */
export function storeOf(source: SessionSource): SessionStorePort {
  const given: unknown = source;
  if (given instanceof Promise) {
    throw invalidOption('source', 'a cluster or a session store; write `await createCluster(…)`', given);
  }
  if (typeof given === 'object' && given !== null) {
    const store = 'sessions' in given ? given.sessions : given;
    if (isStore(store)) return store;
  }
  throw invalidOption('source', 'a cluster or a session store', given);
}

function isStore(value: unknown): value is SessionStorePort {
  return (
    typeof (value as Partial<SessionStorePort> | null)?.load === 'function' && 'options' in (value as object)
  );
}

async function load(
  store: SessionStorePort,
  request: IncomingMessage,
  locks: boolean,
): Promise<Pick<RequestSessionPort, 'missed'> & { readonly session: Session; readonly known: boolean }> {
  const { cookie, accept, strict } = store.options;
  const value = readSessionCookie(request.headers.cookie, cookie.name);
  const id = value === undefined || cookie.seal === undefined ? value : cookie.seal.open(value);
  if (id === undefined || !accept.test(id)) return { session: store.create(), known: false };
  try {
    const session = await store.load(id, locks ? {} : { lock: false });
    const known = session.exists || !strict;
    return { session: known ? session : store.create(), known };
  } catch (error) {
    if (!isForgiven(store, error)) throw error;
    return { session: store.create(), known: false, missed: { id, error } };
  }
}

/** Whether a request goes on without a session after that. */
function isForgiven(store: SessionStorePort, error: unknown): boolean {
  return store.options.onStoreDown === 'anonymous' && isStormlampError(error, ErrorCode.STORE_DOWN);
}

function unannounced(): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    'A new session got its first variable after the response headers were sent, so the browser cannot learn its id; set the variable before the first write',
  );
}
