/** Express middleware that reads and writes the session that PHP keeps under the raw `PHPSESSID` cookie. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBoolean, rejectUnknownOptions } from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { SessionStorePort } from '../session/session-store-port.js';
import { openHttpSession, type PhpSessionOptions, type SessionSource, storeOf } from './http-session.js';
import { isResponse } from './no-response.js';
import type { RequestSession } from './request-session.js';
import { saveAtEnd } from './save-at-end.js';

/**
 * A request that went through {@link phpSession}, with the session variables that the application knows:
 * `PhpSessionRequest<{ user: string }>`. No type of Express is changed by this package, so that it goes together with
 * express-session's; see the documentation for the declaration that gives every `Request` its session.
 */
export interface PhpSessionRequest<Variables extends object = Record<never, never>> extends IncomingMessage {
  /** The session. */
  session: RequestSession & Partial<Variables>;
}

/**
 * A middleware for Express 4 and 5, Connect, and anything that calls `(req, res, next)`. At the upgrade to a WebSocket `res` may be
 * an empty object.
 */
export type PhpSessionMiddleware = (
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * Gives every request `req.session`.
 *
 * - A cookie whose id is not in the store is not adopted (no session fixation); a new id is made once a variable is set.
 * - What was changed is saved before the response ends, or when its connection breaks off; a save that fails goes to
 *   `next(error)` when the headers are not sent yet, and is always the store's `save-failed` event. An unchanged session is
 *   touched, without making the response wait. What a handler changes after it has ended the response is saved as soon as the
 *   response is closed, or, later than that, when it was changed through `req.session`.
 * - With `conflict: 'lock'` the session is locked until the response ends, its connection breaks off, or
 *   `req.session.save()` is called: do that before a long answer, as PHP applications call `session_write_close()`.
 * - Where the handler used `req.session`, the headers of PHP's cache limiter go out with the response (`cacheLimiter`), unless it
 *   has set `Cache-Control`, `Expires` or `Pragma` itself.
 * - At the upgrade to a WebSocket, where there is no response (`phpSession(store)(req, {}, next)` with `ws`, `io.engine.use()` with
 *   socket.io), no lock is held, and the session is saved when `req.session.save()` is called. A new one cannot be saved there.
 * - Without a reachable store, `onStoreDown` decides: an error for `next`, or an empty session that is never saved.
 */
export function phpSession(source: SessionSource, options: PhpSessionOptions = {}): PhpSessionMiddleware {
  rejectUnknownOptions('phpSession', options, ['readOnly']);
  const readOnly = readBoolean('phpSession.readOnly', options.readOnly, false);
  const store = storeOf(source);
  return (req: GivenRequest, res, next) => {
    // Mounted twice, say for the site and for a route: a second load would wait for the lock that the first one holds.
    const given = req[GIVEN];
    if (given?.store === store && (readOnly || !given.readOnly)) {
      next();
      return;
    }
    let started = false;
    openHttpSession(store, req, res, options, () => started).then(
      (http) => {
        const report = (error: unknown) => store.reportSaveFailure(error);
        const used =
          readOnly || !isResponse(res) ? undefined : saveAtEnd(http, res, { failed: next, report });
        attach(req, http.session, () => {
          started = true;
          used?.();
        });
        req[GIVEN] = { store, readOnly };
        next();
      },
      (error: unknown) => next(error),
    );
  };
}

/** Where a request remembers of which store its session is. */
const GIVEN: unique symbol = Symbol('session store');

interface GivenRequest extends IncomingMessage {
  [GIVEN]?: { readonly store: SessionStorePort; readonly readOnly: boolean };
}

function attach(req: IncomingMessage, session: RequestSession, onUse: () => void): void {
  Object.defineProperty(req, 'session', {
    configurable: true,
    enumerable: true,
    get: () => {
      onUse();
      return session;
    },
    // What is put in its place would be lost in silence.
    set() {
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        '`req.session` cannot be replaced; set its properties, or call `req.session.destroy()`',
      );
    },
  });
}
