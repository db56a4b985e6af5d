/** A store for express-session over PHP's sessions. express-session itself is not imported: it need not be installed. */
import { EventEmitter } from 'node:events';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { MountHealth } from '../files/mount-health.js';
import { FileSessionStore } from '../session/file-session-store.js';
import { SessionStore } from '../session/session-store.js';
import type { SessionStorePort } from '../session/session-store-port.js';
import { type SessionSource, storeOf } from './http-session.js';
import { JsonVariables } from './json-variables.js';
import { sessionGone } from './session-gone.js';

/** The variables of a session and the cookie, as express-session gives and takes them. */
export interface ExpressSessionData {
  /** The attributes of express-session's cookie. They are not kept in PHP's session. */
  cookie: object;
  /** The variables. */
  [variable: string]: unknown;
}

/** A node-style callback. */
export type SessionCallback<T = void> = (error?: unknown, value?: T) => void;

/** What express-session's own objects are for this package. */
interface SessionObject {
  cookie: object;
}
type SessionConstructor = new (req: object, data: object) => SessionObject;

/**
 * An express-session `Store`, made by {@link sessionStore}.
 *
 * It emits `disconnect` and `connect` only where the sessions' `onStoreDown` is `'anonymous'`, because express-session lets
 * requests through without a session while its store is disconnected; otherwise they get the error.
 *
 * `all`, `length` and `clear`, which are optional, are missing on purpose: memcached cannot list its keys reliably, and
 * `clear` would log out the users of PHP.
 */
export class ExpressSessionStore extends EventEmitter {
  /** Set by express-session: gives a request a new id, session and cookie. */
  generate?: (req: object) => void;
  readonly #store: SessionStorePort;
  /** The variables behind what was handed out, by the object that was handed out. */
  readonly #handedOut = new WeakMap<object, JsonVariables>();

  /** @internal */
  constructor(store: SessionStorePort) {
    super();
    this.#store = store;
    if (store.options.onStoreDown === 'anonymous') this.#watch(store);
  }

  /** Reads a session; the callback gets `null` when there is none, or the id is none that PHP could have made. */
  get<S extends object = ExpressSessionData>(sid: string, callback: SessionCallback<S | null>): void {
    // What is stored under which type is the application's knowledge, as with every store of express-session.
    answer(this.#get(sid) as Promise<object | null> as Promise<S | null>, callback);
  }

  /**
   * Saves a session. Variables that were changed are merged into what is stored now; PHP's other variables are not touched.
   * A session that was destroyed since it was read is not created again (`onGone`).
   *
   * An instance of a class is stored as its own properties, as JSON has it. A variable whose name PHP's format cannot hold is
   * `ERR_PHP_VALUE`; the others are saved. Every error is the event `save-failed` of the sessions, too, since the response may
   * be on its way before express-session hears of it.
   */
  set(sid: string, session: object, callback?: SessionCallback): void {
    const saved = this.#set(sid, session).catch((error: unknown) => {
      this.#store.reportSaveFailure(error);
      throw error;
    });
    answer(saved, callback);
  }

  /** Removes a session; one that is not there is no error. */
  destroy(sid: string, callback?: SessionCallback): void {
    const id = this.#idOf(sid);
    answer(id === undefined ? Promise.resolve() : this.#store.destroy(id), callback);
  }

  /** Renews the life of a session and changes nothing else. */
  touch(sid: string, _session: object, callback?: SessionCallback): void {
    const id = this.#idOf(sid);
    answer(id === undefined ? Promise.resolve() : this.#store.touch(id), callback);
  }

  /** Destroys the session of a request and gives it a new one; the callback gets the error of the destroy. */
  regenerate(req: object, callback: SessionCallback): void {
    this.destroy((req as { sessionID: string }).sessionID, (error) => {
      this.#generate(req);
      callback(error);
    });
  }

  /** Reads a session outside of any request. */
  load<S extends object>(sid: string, callback: SessionCallback<S>): void {
    this.get(sid, (error, data) => {
      if (error !== undefined && error !== null) callback(error);
      else if (data === null || data === undefined) callback();
      else {
        const req = { sessionID: sid, sessionStore: this, headers: {}, connection: {}, socket: {} };
        callback(null, this.createSession<S>(req, data));
      }
    });
  }

  /** Gives a request the session object of the data that {@link ExpressSessionStore.get} gave. */
  createSession<S extends object>(req: object, data: object): S {
    // What express-session makes for a new session shows its classes, and the cookie that the application asked for.
    const model: { session?: SessionObject } = Object.create(req);
    this.#generate(model);
    const { session: fresh } = model;
    if (fresh === undefined) throw notMounted();
    const SessionClass = fresh.constructor as SessionConstructor;
    const session = new SessionClass(req, { ...data, cookie: fresh.cookie });
    (req as { session?: object }).session = session;
    const variables = this.#handedOut.get(data);
    if (variables !== undefined) this.#handedOut.set(session, variables);
    return session as object as S;
  }

  async #get(sid: string): Promise<ExpressSessionData | null> {
    const id = this.#idOf(sid);
    if (id === undefined) return null;
    const session = await this.#store.load(id, { lock: false });
    if (!session.exists) return null;
    const variables = new JsonVariables(session);
    const data: ExpressSessionData = { ...variables.values, cookie: { originalMaxAge: null } };
    this.#handedOut.set(data, variables);
    return data;
  }

  async #set(sid: string, given: object): Promise<void> {
    const id = this.#idOf(sid);
    if (id === undefined) throw notAnId(sid);
    const known = this.#handedOut.get(given);
    const variables =
      known?.session.id === id ? known : new JsonVariables(await this.#store.load(id, { lock: false }));
    const refused = variables.take(given);
    const { outcome } = await this.#store.save(variables.session);
    this.#handedOut.set(given, variables);
    if (refused !== undefined) throw refused;
    // express-session would take an error for one of the store.
    if (outcome === 'gone') this.#store.reportSaveFailure(sessionGone());
    if (outcome !== 'unchanged') return;
    // express-session takes a save for a renewal as well, and stores new sessions without variables, as PHP does.
    if (variables.session.exists) await this.#store.touch(id);
    else await this.#store.writeRaw(id, Buffer.alloc(0));
  }

  #generate(req: object): void {
    if (this.generate === undefined) throw notMounted();
    this.generate(req);
  }

  /** The id under which PHP would keep the session: express-session's own ids have `_`, which PHP's cannot, for `,`. */
  #idOf(sid: unknown): string | undefined {
    if (typeof sid !== 'string') return undefined;
    const id = sid.replaceAll('_', ',');
    return this.#store.options.accept.test(id) ? id : undefined;
  }

  #watch(store: SessionStorePort): void {
    let connected = true;
    const look = (now: boolean): void => {
      if (now === connected) return;
      connected = now;
      this.emit(now ? 'connect' : 'disconnect');
    };
    if (store instanceof SessionStore)
      store.on('breaker-changed', () => look(store.status().some(({ reads }) => reads === 'closed')));
    if (store instanceof FileSessionStore)
      store.on('mount-changed', () => look(store.status().some(({ health }) => isReadable(health))));
  }
}

/**
 * Makes an express-session `Store` of PHP's sessions: `session({ store: sessionStore(cluster), secret })`.
 *
 * express-session signs its cookie, so that PHP does not find the session by it; `phpSession` is the middleware that
 * shares the cookie with PHP. This store is for applications that stay with express-session and want its sessions on
 * replicated nodes, in PHP's format. The sessions' life is the store's `lifetimeMs`, whatever the cookie says.
 */
export function sessionStore(source: SessionSource): ExpressSessionStore {
  return new ExpressSessionStore(storeOf(source));
}

function isReadable({ phase }: MountHealth): boolean {
  return phase === 'healthy' || phase === 'impaired';
}

/** Calls back once, in a turn of its own: what the callback throws is the caller's, not a failure of the store. */
function answer<T>(work: Promise<T>, callback: SessionCallback<T> | undefined): void {
  work.then(
    (value) => process.nextTick(() => callback?.(null, value)),
    (error: unknown) => process.nextTick(() => callback?.(error)),
  );
}

function notAnId(sid: unknown): StormlampError {
  return new StormlampError(
    ErrorCode.SESSION_ID,
    `The session id (${typeof sid === 'string' ? `${sid.length} characters` : typeof sid}) is not accepted by \`sessions.ids.accept\`; let \`genid\` make ids of letters, digits, minus and comma`,
  );
}

function notMounted(): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    'The store makes session objects only after it was given to express-session, as `session({ store })`',
  );
}
