/** Express middleware that reads and writes the session that PHP keeps under the raw `PHPSESSID` cookie. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { rejectUnknownOptions } from '../common/option-reader.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type { Session } from '../session/session.js';
import { formatSessionCookie, readSessionCookie } from '../session/session-cookie.js';
import type { SessionStore } from '../session/session-store.js';
import { RequestSession } from './request-session.js';

/** Options of {@link phpSession}. */
export interface PhpSessionOptions {
  /** Reads the session without ever writing or touching it. Default false. */
  readonly readOnly?: boolean;
}

/** A request that went through {@link phpSession}. */
export interface PhpSessionRequest extends IncomingMessage {
  /** The session. */
  session: RequestSession;
}

/** A middleware for Express 4 and 5, Connect, and anything that calls `(req, res, next)`. */
export type PhpSessionMiddleware = (
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * Gives every request `req.session`.
 *
 * - A cookie whose id is not in the store is not adopted (no session fixation); a new id is made once a variable is set.
 * - What was changed is saved before the response ends; a save that fails goes to `next(error)` when the headers are not
 *   sent yet, else it is the store's `save-failed` event. An unchanged session is touched, without making the response wait.
 * - Without a reachable store, `onStoreDown` decides: an error for `next`, or an empty session that is never saved.
 */
export function phpSession(
  source: SessionStore | { readonly sessions: SessionStore },
  options: PhpSessionOptions = {},
): PhpSessionMiddleware {
  rejectUnknownOptions('phpSession', options, ['readOnly']);
  const store = 'sessions' in source ? source.sessions : source;
  const readOnly = options.readOnly ?? false;
  return (req, res, next) => {
    loadSession(store, req).then(
      ({ session, usable }) => {
        const port = { store, cookieCanBeSent: () => !res.headersSent };
        const requestSession = new RequestSession(session, port);
        (req as PhpSessionRequest).session = requestSession;
        if (usable && !readOnly) saveAtEnd(store, req, res, requestSession, next);
        next();
      },
      (error: unknown) => next(error),
    );
  };
}

async function loadSession(
  store: SessionStore,
  req: IncomingMessage,
): Promise<{ session: Session; usable: boolean }> {
  const id = readSessionCookie(req.headers.cookie, store.options.cookie.name);
  if (id === undefined || !store.options.accept.test(id)) return { session: store.create(), usable: true };
  try {
    const session = await store.load(id);
    return { session: session.exists ? session : store.create(), usable: true };
  } catch (error) {
    const anonymous = store.options.onStoreDown === 'anonymous' && isStormlampError(error, 'ERR_STORE_DOWN');
    if (!anonymous) throw error;
    return { session: store.create(), usable: false };
  }
}

function saveAtEnd(
  store: SessionStore,
  req: IncomingMessage,
  res: ServerResponse,
  session: RequestSession,
  next: (error?: unknown) => void,
): void {
  const idAtStart = session.isNew ? undefined : session.id;
  const { end, writeHead } = res;
  let announced = idAtStart;
  let failed = false;

  res.writeHead = function writeHeadWithCookie(this: ServerResponse, ...args: unknown[]): ServerResponse {
    const rest = liftHeaders(this, args);
    const willExist = !session.isNew || (!failed && workOf(session).kind === 'save');
    if (willExist && session.id !== announced && !this.headersSent) {
      appendCookie(
        this,
        formatSessionCookie(session.id, store.options.cookie, {
          secureRequest: isSecure(req),
          now: Date.now(),
        }),
      );
      announced = session.id;
    }
    return Reflect.apply(writeHead, this, rest);
  } as ServerResponse['writeHead'];

  let ending = false;
  res.end = function endAfterSave(this: ServerResponse, ...args: unknown[]): ServerResponse {
    const finish = (): void => {
      Reflect.apply(end, this, args);
    };
    if (ending) {
      finish();
      return this;
    }
    ending = true;
    const work = workOf(session);
    if (work.kind === 'touch') store.touchLater(session.id);
    if (work.kind === 'touch' || work.kind === 'nothing') {
      finish();
      return this;
    }
    persist(work, session, !this.headersSent || session.id === announced).then(finish, (error: unknown) => {
      failed = true;
      store.reportSaveFailure(error);
      if (this.headersSent) {
        finish();
        return;
      }
      // The handler's answer says that all went well, so it must not reach the browser.
      for (const name of ['Content-Length', 'Content-Encoding', 'ETag', 'Transfer-Encoding'])
        this.removeHeader(name);
      next(error);
    });
    return this;
  } as ServerResponse['end'];
}

type EndWork =
  | { readonly kind: 'nothing' | 'touch' | 'save' }
  | { readonly kind: 'refuse'; readonly error: unknown };

function workOf(session: RequestSession): EndWork {
  try {
    return { kind: session.pending };
  } catch (error) {
    return { kind: 'refuse', error };
  }
}

/** Saves at the end of a response; `known` tells whether the browser has the session's id or will get it. */
async function persist(work: EndWork, session: RequestSession, known: boolean): Promise<void> {
  if (work.kind === 'refuse') throw work.error;
  if (!known) {
    throw new StormlampError(
      ErrorCode.UNSUPPORTED,
      'A new session got its first variable after the response headers were sent, so the browser cannot learn its id; set the variable before the first write',
    );
  }
  await session.save();
}

/** Turns headers given to `writeHead` into set headers, so that the cookie is added to them and not lost. */
function liftHeaders(res: ServerResponse, args: unknown[]): unknown[] {
  const last = args.at(-1);
  if (typeof last !== 'object' || last === null || res.headersSent) return args;
  const entries = Array.isArray(last) ? pairs(last) : Object.entries(last);
  for (const [name, value] of entries) {
    if (value !== undefined) res.setHeader(name, value as string);
  }
  return args.slice(0, -1);
}

function pairs(list: readonly unknown[]): [string, unknown][] {
  if (list.every((item) => Array.isArray(item))) return list as [string, unknown][];
  return list.flatMap((name, index) =>
    index % 2 === 0 ? [[String(name), list[index + 1]] as [string, unknown]] : [],
  );
}

function appendCookie(res: ServerResponse, cookie: string): void {
  const present = res.getHeader('Set-Cookie');
  const list = present === undefined ? [] : Array.isArray(present) ? present : [String(present)];
  res.setHeader('Set-Cookie', [...list, cookie]);
}

function isSecure(req: IncomingMessage & { readonly secure?: unknown }): boolean {
  // Express computes `secure` with its trust-proxy setting.
  if (typeof req.secure === 'boolean') return req.secure;
  return (req.socket as { readonly encrypted?: unknown }).encrypted === true;
}
