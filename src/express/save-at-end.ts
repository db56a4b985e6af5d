/** Ends the session of a request together with its response, whatever way the response ends. */
import type { ServerResponse } from 'node:http';
import type { HttpSession } from './http-session.js';

/** What is told about a save. */
export interface SaveAtEndPort {
  /** A save failed, and the handler's answer was not sent yet: another answer has to be made. */
  failed(error: unknown): void;
  /** A save failed; told in every case. */
  report(error: unknown): void;
}

/**
 * Makes `response` announce and save the session by itself: the cookie with the headers, the save before the last byte.
 *
 * Once the response's `end()` was called, further calls of it are ignored until the save is over; after a save that failed
 * before any byte was sent, whoever answers instead ends the response in the usual way.
 */
export function saveAtEnd(http: HttpSession, response: ServerResponse, port: SaveAtEndPort): void {
  const { end, writeHead } = response;
  let phase: 'open' | 'saving' | 'over' = 'open';

  response.writeHead = function writeHeadWithCookie(this: ServerResponse, ...args: unknown[]) {
    const rest = liftHeaders(this, args);
    http.announce();
    return Reflect.apply(writeHead, this, rest);
  } as ServerResponse['writeHead'];

  response.end = function endAfterSave(this: ServerResponse, ...args: unknown[]): ServerResponse {
    if (phase === 'over') return Reflect.apply(end, this, args);
    if (phase === 'saving') return this;
    const finish = (): void => {
      phase = 'over';
      Reflect.apply(end, this, args);
    };
    phase = 'saving';
    const wait = http.mustWait;
    const saved = http.save();
    if (!wait) {
      void saved;
      finish();
      return this;
    }
    saved.then(finish, (error: unknown) => {
      port.report(error);
      if (this.headersSent) {
        finish();
        return;
      }
      phase = 'over';
      // The handler's answer says that all went well, so it must not reach the browser.
      for (const name of ['Content-Length', 'Content-Encoding', 'ETag', 'Transfer-Encoding'])
        this.removeHeader(name);
      port.failed(error);
    });
    return this;
  } as ServerResponse['end'];

  http.saveAtClose(() => phase === 'open', port.report);
}

/** Turns headers given to `writeHead` into set headers, so that the cookie is added to them and not lost. */
function liftHeaders(response: ServerResponse, args: unknown[]): unknown[] {
  const last = args.at(-1);
  if (typeof last !== 'object' || last === null || response.headersSent) return args;
  const entries = Array.isArray(last) ? pairs(last) : Object.entries(last);
  // Names that come twice in a list are sent twice.
  const seen = new Set<string>();
  for (const [name, value] of entries) {
    if (value === undefined) continue;
    if (seen.has(name.toLowerCase())) response.appendHeader(name, value as string);
    else response.setHeader(name, value as string);
    seen.add(name.toLowerCase());
  }
  return args.slice(0, -1);
}

function pairs(list: readonly unknown[]): [string, unknown][] {
  if (list.every((item) => Array.isArray(item))) return list as [string, unknown][];
  return list.flatMap((name, index) =>
    index % 2 === 0 ? [[String(name), list[index + 1]] as [string, unknown]] : [],
  );
}
