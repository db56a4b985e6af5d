/** `req.session`: the variables of PHP's `$_SESSION` as plain properties, and what can be done with the session as a whole. */
import { inspect } from 'node:util';
import type { CallOptions } from '../common/deadline.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { LaterProperties } from '../php/later-property.js';
import { type Session, setVariable } from '../session/session.js';
import {
  type RegenerateOptions,
  type SessionSaveResult,
  type SessionStorePort,
  sessionDeadline,
} from '../session/session-store-port.js';
import { Turns } from '../session/turns.js';
import { callBack, type SessionDone } from './call-back.js';

/** How a {@link RequestSession} reaches the rest of its request. */
export interface RequestSessionPort {
  /** The store. */
  readonly store: SessionStorePort;
  /** What may be done: everything, nothing but reading, or (`'anonymous'`, without a store) nothing that lasts. */
  readonly mode: 'read-write' | 'read-only' | 'anonymous';
  /** The session that an anonymous request asked for, and why it did not get it. */
  readonly missed?: { readonly id: string; readonly error: unknown } | undefined;
  /** Whether `Set-Cookie` can still be sent. */
  cookieCanBeSent(): boolean;
  /** Whether a response ends the request; otherwise the session is saved, and its lock taken, only in the moment of a save. */
  readonly hasResponse: boolean;
  /** Whether the browser has, or gets, this id. */
  isHeardOf(id: string): boolean;
}

/** @internal Stands for the value of a variable that nobody has looked at. */
export const UNSEEN: unique symbol = Symbol('unseen');

/**
 * The session of one request. Every variable of PHP's `$_SESSION` is a property that may be read, set and deleted;
 * what was changed is saved when the response ends.
 *
 * Its methods are awaited; whoever gives them a callback, as with express-session, gets the error there.
 *
 * A variable that is called like one of the members below (`$_SESSION['id']`, say) is in {@link RequestSession.reserved}.
 *
 * One that was frozen, sealed or made not extensible is saved as it is once, and shows nothing new afterwards: what is changed in
 * it then is not saved.
 */
export class RequestSession {
  /** The variables of the session. */
  [variable: string]: unknown;
  readonly #port: RequestSessionPort;
  #session: Session;
  #reserved: Record<string, unknown> = {};
  #phase: 'live' | 'destroyed' = 'live';
  readonly #turns = new Turns();
  /** Whether it can no longer show what the session is. */
  #isFixed = false;
  /** The variables that nobody has looked at: most requests look at few. */
  #later: LaterProperties = new LaterProperties(this, () => undefined, 0);

  /** @internal */
  constructor(session: Session, port: RequestSessionPort) {
    this.#port = port;
    this.#session = session;
    this.#show();
  }

  /** @internal Every variable of a session, by its name in PHP; `UNSEEN` for what nobody has looked at. Static, as each member takes a name from the variables. */
  static variablesOf(session: RequestSession): ReadonlyMap<string, unknown> {
    const variables = new Map<string, unknown>();
    for (const name of Object.keys(session))
      variables.set(name, session.#later.isUnseen(name) ? UNSEEN : session[name]);
    for (const [name, value] of Object.entries(session.#reserved)) variables.set(name, value);
    return variables;
  }

  /** The session's id: the value of the cookie. */
  get id(): string {
    return this.#session.id;
  }

  /** Whether the session is not in the store yet. It gets there, and the browser gets a cookie, once it has a variable. */
  get isNew(): boolean {
    return !this.#session.exists;
  }

  /** Variables whose names are taken by the members of this class. */
  get reserved(): Record<string, unknown> {
    return this.#reserved;
  }

  /** Whether this request holds PHP's session lock, so that other requests with the session wait. */
  get locked(): boolean {
    return this.#session.locked;
  }

  /** Gives the session lock back before the response ends. What is changed afterwards is merged when it is saved. */
  release(): Promise<void> {
    return this.#session.release();
  }

  /**
   * Saves what was changed now, instead of when the response ends, and gives the session lock back. Errors: as `SessionStore.save`.
   *
   * @returns what became of it: `'gone'` where the session was ended meanwhile, here or elsewhere, so that nothing was stored.
   */
  save(options?: CallOptions | SessionDone): Promise<SessionSaveResult['outcome']> {
    return callBack(options, (call) => this.#save(call), 'unchanged');
  }

  async #save(options?: CallOptions): Promise<SessionSaveResult['outcome']> {
    if (this.#phase === 'destroyed') return 'gone';
    if (!this.#lasts('save()')) {
      if (this.pending === 'save') throw this.#port.missed?.error;
      return 'unchanged';
    }
    let outcome: SessionSaveResult['outcome'] = 'gone';
    await this.#inTurn(options, async () => {
      // The session may have been destroyed while this waited.
      if (this.#phase === 'destroyed') return;
      this.#collect();
      const isLost = !this.#port.hasResponse && !this.#session.exists && !this.#port.isHeardOf(this.id);
      if (isLost && this.#session.changed) throw withoutResponse('save() of a new session');
      ({ outcome } = await this.#port.store.save(this.#session, options));
    });
    return outcome;
  }

  /**
   * Forgets what was changed here and reads the session again. What is set while it reads, stays. One that was ended meanwhile
   * is a new session, with a new id where the store is strict, so that nobody who knows the old id gets what is set now.
   *
   * @throws StormlampError as `SessionStore.load`, and `ERR_UNSUPPORTED` when it was ended and the headers are already sent,
   * since the browser could not learn the new id; the session is then empty, and nothing of it is saved.
   */
  reload(options?: CallOptions | SessionDone): Promise<void> {
    return callBack(options, (call) => this.#reload(call), undefined);
  }

  async #reload(options?: CallOptions): Promise<void> {
    if (this.#port.mode === 'anonymous') return;
    await this.#inTurn(options, async () => {
      await this.release();
      const locks = this.#port.mode !== 'read-only' && this.#port.hasResponse;
      const lock = locks ? {} : { lock: false };
      const before = this.#session;
      const loaded = await this.#port.store.load(before.id, { ...options, ...lock });
      const ended = before.exists && !loaded.exists && this.#port.store.options.strict;
      this.#session = ended ? this.#port.store.create() : loaded;
      this.#phase = 'live';
      if (!ended || this.#port.mode === 'read-only' || this.#port.cookieCanBeSent()) return;
      this.#phase = 'destroyed';
      this.#show();
      if (!this.#port.hasResponse) return;
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        'session.reload() found that the session was ended meanwhile, and the headers are already sent, so that the browser cannot learn the id of a new one; reload before the first write',
      );
    });
  }

  /** Renews the session's expiry on every copy. */
  touch(options?: CallOptions | SessionDone): Promise<void> {
    return callBack(options, (call) => this.#touch(call), undefined);
  }

  async #touch(options?: CallOptions): Promise<void> {
    if (this.#lasts('touch()') && this.#session.exists)
      await this.#port.store.touch(this.#session.id, options);
  }

  /**
   * Moves the variables to a new id: do this at every login and every change of rights. The old session keeps what it had, without
   * what this request set, changed or deleted, and is removed a moment later (`regenerateGraceMs`, or `graceMs` here). So where
   * this request took a right away by giving a variable another value (`role = 'user'`), give `graceMs: 0`: the old id would have
   * the old one for that moment. What other requests save under the old id meanwhile goes with it (event `save-dropped`).
   *
   * @throws StormlampError `ERR_UNSUPPORTED` when the headers are already sent, since the browser could not learn the new id,
   * and for a session that was opened for reading only.
   */
  regenerate(options?: RegenerateOptions | SessionDone): Promise<void> {
    return callBack(options, (call) => this.#regenerate(call), undefined);
  }

  async #regenerate(options?: RegenerateOptions): Promise<void> {
    if (!this.#lasts('regenerate()')) throw this.#port.missed?.error;
    this.#assertCookie('regenerate()');
    await this.#inTurn(options, async () => {
      this.#collect();
      const before = this.#session;
      this.#session = await this.#port.store.regenerate(before, options);
      this.#phase = 'live';
      await before.release();
    });
  }

  /**
   * Removes the session from every copy. Variables set afterwards are not saved.
   *
   * @throws StormlampError as `SessionStore.destroy`: without a store nobody is logged out, whatever `onStoreDown` says.
   */
  destroy(options?: CallOptions | SessionDone): Promise<void> {
    return callBack(options, (call) => this.#destroy(call), undefined);
  }

  async #destroy(options?: CallOptions): Promise<void> {
    this.#lasts('destroy()');
    await this.#turns.run(sessionDeadline(options), async () => {
      // The store takes the lock itself; with ours held it would wait for this very request.
      await this.release();
      await this.#port.store.destroy(this.#port.missed?.id ?? this.#session.id, options);
      this.#phase = 'destroyed';
      for (const name of Object.keys(this.#session.data)) delete this.#session.data[name];
      this.#show();
    });
  }

  /** @internal What the middleware has to do at the end of the response. */
  get pending(): 'nothing' | 'touch' | 'save' {
    if (this.#phase === 'destroyed') return 'nothing';
    this.#collect();
    if (this.#session.changed) return 'save';
    return this.#session.exists ? 'touch' : 'nothing';
  }

  /** Whether what is done here lasts beyond the request; a session that is only read refuses it. */
  #lasts(what: string): boolean {
    if (this.#port.mode === 'read-only') {
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        `session.${what} was called on a session that was opened with \`readOnly: true\`; leave that out for this route`,
      );
    }
    return this.#port.mode === 'read-write';
  }

  #assertCookie(what: string): void {
    if (!this.#port.hasResponse) throw withoutResponse(what);
    if (!this.#port.cookieCanBeSent()) {
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        `session.${what} was called after the response's headers were sent; call it before the first write`,
      );
    }
  }

  /** Runs what reads or writes the whole session; then shows what it is now, and what was set or deleted here meanwhile. */
  #inTurn(options: CallOptions | undefined, work: () => Promise<void>): Promise<void> {
    return this.#turns.run(sessionDeadline(options), async () => {
      const before = RequestSession.variablesOf(this);
      const later = this.#later;
      await work();
      if (this.#phase === 'destroyed') return;
      const { data } = this.#session;
      const now = RequestSession.variablesOf(this);
      for (const name of before.keys()) if (!now.has(name)) delete data[name];
      for (const [name, value] of now) {
        const was = before.get(name);
        const isLook = value === UNSEEN || (was === UNSEEN && later.gave(name, value));
        if (!isLook && !(before.has(name) && Object.is(was, value))) setVariable(data, name, value);
      }
      this.#show();
    });
  }

  #collect(): void {
    if (this.#isFixed) return;
    const { data } = this.#session;
    const now = RequestSession.variablesOf(this);
    for (const name of Object.keys(data)) if (!now.has(name)) delete data[name];
    for (const [name, value] of now) if (value !== UNSEEN) setVariable(data, name, value);
  }

  #show(): void {
    this.#isFixed = !Object.isExtensible(this);
    if (this.#isFixed) return;
    for (const name of Object.keys(this)) delete this[name];
    this.#reserved = {};
    const session = this.#session;
    const names = Object.keys(session.data);
    this.#later = new LaterProperties(this, (name) => session.data[name], names.length);
    for (const name of names) {
      if (RESERVED.has(name)) setVariable(this.#reserved, name, session.data[name]);
      else if (session.isUnseen(name)) this.#later.define(name);
      else setVariable(this, name, session.data[name]);
    }
  }
}

function withoutResponse(what: string): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    `session.${what} was called for a request without a response, as that of a WebSocket is, so that the browser could not learn the id; do it in a request of HTTP before`,
  );
}

const RESERVED: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(RequestSession.prototype));

// Applications copy what browsers send into the session. A name of a member must not put that in the member's place, nor
// `__proto__` change what the session is.
for (const name of RESERVED) {
  const member = Object.getOwnPropertyDescriptor(RequestSession.prototype, name) as PropertyDescriptor;
  const { value, get = () => value } = member;
  Object.defineProperty(RequestSession.prototype, name, {
    configurable: true,
    get,
    set() {
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        `session.${name} is a member of the session; a variable of this name is in session.reserved`,
      );
    },
  });
}
// `console.log` shows the variables, and not how they are got.
Object.defineProperty(RequestSession.prototype, inspect.custom, {
  configurable: true,
  value(this: RequestSession) {
    return { ...this };
  },
});
Object.defineProperty(RequestSession.prototype, '__proto__', {
  configurable: true,
  get: () => undefined,
  set(this: RequestSession, value: unknown) {
    setVariable(this, '__proto__', value);
  },
});
