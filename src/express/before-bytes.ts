/** Calls something at the last moments before the headers of a response are sent and before it ends, however that happens. */
import type { ServerResponse } from 'node:http';
import { liftHeaders } from './lift-headers.js';

/**
 * Calls `work` before the first byte, and again before the last one. What it throws is not caught. The headers that were given
 * to `writeHead` are set by then, so that those of `work` come beside them and not under them.
 */
export function beforeBytes(response: ServerResponse, work: () => void): void {
  const { writeHead, end } = response;
  response.writeHead = function writeHeadAfterWork(this: ServerResponse, ...args: unknown[]) {
    if (this.headersSent) return Reflect.apply(writeHead, this, args);
    const rest = liftHeaders(this, args);
    work();
    return Reflect.apply(writeHead, this, [...rest]);
  } as ServerResponse['writeHead'];
  // Whoever saves a session does so at the end, before the headers of an answer that was not begun.
  response.end = function endAfterWork(this: ServerResponse, ...args: unknown[]) {
    if (!this.writableEnded) work();
    return Reflect.apply(end, this, args);
  } as ServerResponse['end'];
}
