/** Adds cookies to a response beside those that are there. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { liftHeaders } from './lift-headers.js';

/** Adds a `Set-Cookie` header. The headers must not be sent yet. */
export function appendCookie(response: ServerResponse, cookie: string): void {
  response.setHeader('Set-Cookie', [...cookiesOf(response), cookie]);
}

/** Adds a `Set-Cookie` header that stays, whatever cookies are given to `writeHead`. The headers must not be sent yet. */
export function keepCookie(response: ServerResponse, cookie: string): void {
  appendCookie(response, cookie);
  const { writeHead } = response;
  response.writeHead = function writeHeadWithCookie(this: ServerResponse, ...args: unknown[]) {
    if (this.headersSent) return Reflect.apply(writeHead, this, args);
    const rest = liftHeaders(this, args);
    if (!cookiesOf(this).includes(cookie)) appendCookie(this, cookie);
    return Reflect.apply(writeHead, this, [...rest]);
  } as ServerResponse['writeHead'];
}

/** Whether a cookie of this name was added. */
export function hasCookie(response: ServerResponse, name: string): boolean {
  return cookiesOf(response).some((cookie) => cookie.startsWith(`${name}=`));
}

function cookiesOf(response: ServerResponse): readonly string[] {
  const present = response.getHeader('Set-Cookie');
  return present === undefined ? [] : Array.isArray(present) ? present : [String(present)];
}

/** Whether the request came over TLS, a trusted proxy's word included. */
export function isSecure(request: IncomingMessage & { readonly secure?: unknown }): boolean {
  // Express computes `secure` with its trust-proxy setting.
  if (typeof request.secure === 'boolean') return request.secure;
  return (request.socket as { readonly encrypted?: unknown }).encrypted === true;
}
