/** Sends the headers of PHP's cache limiter with a response, unless the application says itself how it may be cached. */
import { statSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { type CacheLimits, cacheHeaders } from '../session/cache-limiter.js';
import { liftHeaders } from './lift-headers.js';

/** Whoever sets one of these has decided about all of them. */
const DECIDING = ['Cache-Control', 'Expires', 'Pragma'];

/** Adds the headers when those of the response are sent, where `started()` says that a session was started by then. */
export function limitCaching(response: ServerResponse, limits: CacheLimits, started: () => boolean): void {
  if (limits.cacheLimiter === '') return;
  const { writeHead } = response;
  response.writeHead = function writeHeadWithLimits(this: ServerResponse, ...args: unknown[]) {
    if (this.headersSent) return Reflect.apply(writeHead, this, args);
    const rest = liftHeaders(this, args);
    if (started() && !DECIDING.some((name) => this.hasHeader(name))) {
      for (const [name, value] of Object.entries(cacheHeaders(limits, Date.now(), programChanged()))) {
        if (!this.hasHeader(name)) this.setHeader(name, value);
      }
    }
    return Reflect.apply(writeHead, this, [...rest]);
  } as ServerResponse['writeHead'];
}

let changed: number | undefined | null = null;

/** When the file that Node was started with last changed: PHP tells that of the page. */
function programChanged(): number | undefined {
  if (changed === null) {
    const [, program = ''] = process.argv;
    changed = statSync(program, { throwIfNoEntry: false })?.mtimeMs;
  }
  return changed;
}
