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

/** Adds a `Set-Cookie` header in the place of those for the same name. The headers must not be sent yet. */
export function replaceCookie(response: ServerResponse, name: string, cookie: string): void {
  const others = cookiesOf(response).filter((other) => !isOf(name, other));
  response.setHeader('Set-Cookie', [...others, cookie]);
}

/** The value of the cookie of this name that was added last, as it is written; undefined when there is none. */
export function cookieIn(response: ServerResponse, name: string): string | undefined {
  const cookie = cookiesOf(response).findLast((each) => isOf(name, each));
  return cookie?.slice(name.length + 1).split(';', 1)[0];
}

function isOf(name: string, cookie: string): boolean {
  return cookie.startsWith(`${name}=`);
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
