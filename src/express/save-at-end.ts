/** Ends the session of a request together with its response, whatever way the response ends. */
import type { ServerResponse } from 'node:http';
import { rememberHead } from './answer-head.js';
import { holdBytes } from './hold-bytes.js';
import type { HttpSession } from './http-session.js';
import { LateChanges } from './late-changes.js';
import { liftHeaders } from './lift-headers.js';
import { poseAsEnded } from './pose-as-ended.js';

/** What is told about a save. */
export interface SaveAtEndPort {
  /** A save failed before the handler's answer was sent, or Node refused to send it: another answer has to be made. */
  failed(error: unknown): void;
  /** A save failed; told in every case. */
  report(error: unknown): void;
}

/**
 * Makes `response` announce and save the session by itself: the cookie with the headers, the save before the last byte, and
 * that of a new session before the first, too.
 *
 * Once the response's `end()` was called, the response is to everybody one that has ended, though its last bytes wait for the
 * save; after a save that failed before any byte was sent, it is open again for whoever answers instead. What is changed after
 * the end, or after the browser went away, is saved when the response is closed.
 *
 * @returns to be called whenever somebody takes the session
 */
export function saveAtEnd(http: HttpSession, response: ServerResponse, port: SaveAtEndPort): () => void {
  const { end, writeHead } = response;
  const takeBack = rememberHead(response);
  const late = new LateChanges(http, response, port.report);
  let phase: 'open' | 'saving' | 'over' = 'open';

  response.writeHead = function writeHeadWithCookie(this: ServerResponse, ...args: unknown[]) {
    const rest = liftHeaders(this, args);
    const unheard = http.announce();
    const result = Reflect.apply(writeHead, this, [...rest]);
    // The browser may come back with the id as soon as it has it. What cannot be stored now is told at the end.
    if (unheard && phase === 'open')
      holdBytes(
        this,
        http.session.save().catch(() => undefined),
      );
    return result;
  } as ServerResponse['writeHead'];

  response.end = function endAfterSave(this: ServerResponse, ...args: unknown[]): ServerResponse {
    if (phase === 'over') return Reflect.apply(end, this, args);
    // Somebody who kept this very function calls it past the pose.
    if (phase === 'saving') return this.end(...(args as []));
    phase = 'saving';
    late.begin();
    const { wait, saved } = http.finish();
    const unmask = wait ? poseAsEnded(this) : () => undefined;
    const finish = (): void => {
      phase = 'over';
      unmask();
      try {
        Reflect.apply(end, this, args);
      } catch (error) {
        // Node refuses to send that. Whoever answers instead ends the response once more.
        phase = 'open';
        throw error;
      }
      late.settle();
    };
    // The handler is gone: what it could have caught, or Express for it, is told as its error is.
    const finishLater = (): void => {
      try {
        finish();
      } catch (error) {
        port.failed(error);
      }
    };
    if (!wait) {
      void saved;
      finish();
      return this;
    }
    saved.then(finishLater, (error: unknown) => {
      port.report(error);
      unmask();
      if (this.headersSent) {
        finishLater();
        return;
      }
      phase = 'over';
      // The handler's answer says that all went well, so it must not reach the browser.
      takeBack();
      port.failed(error);
    });
    return this;
  } as ServerResponse['end'];

  if (response.writableEnded) {
    // Somebody answered before there was a session: all that is done with it now is late.
    phase = 'over';
    late.begin();
    http.finish().saved.then(() => late.settle(), port.report);
  } else {
    http.saveAtClose({
      begin: () => {
        // The handler may go on, and never end the response.
        if (phase === 'open') late.begin();
        return phase === 'open';
      },
      saved: () => late.settle(),
      failed: port.report,
    });
  }
  return () => late.used();
}
