/** Calls something at the last moments before the headers of a response are sent and before it ends, however that happens. */
import type { ServerResponse } from 'node:http';

/** Calls `work` before the first byte, and again before the last one. What it throws is not caught. */
export function beforeBytes(response: ServerResponse, work: () => void): void {
  const { writeHead, end } = response;
  response.writeHead = function writeHeadAfterWork(this: ServerResponse, ...args: unknown[]) {
    if (!this.headersSent) work();
    return Reflect.apply(writeHead, this, args);
  } as ServerResponse['writeHead'];
  // Whoever saves a session does so at the end, before the headers of an answer that was not begun.
  response.end = function endAfterWork(this: ServerResponse, ...args: unknown[]) {
    if (!this.writableEnded) work();
    return Reflect.apply(end, this, args);
  } as ServerResponse['end'];
}
