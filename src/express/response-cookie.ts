/** Adds cookies to a response beside those that are there. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Adds a `Set-Cookie` header. The headers must not be sent yet. */
export function appendCookie(response: ServerResponse, cookie: string): void {
  const present = response.getHeader('Set-Cookie');
  const list = present === undefined ? [] : Array.isArray(present) ? present : [String(present)];
  response.setHeader('Set-Cookie', [...list, cookie]);
}

/** Whether the request came over TLS, a trusted proxy's word included. */
export function isSecure(request: IncomingMessage & { readonly secure?: unknown }): boolean {
  // Express computes `secure` with its trust-proxy setting.
  if (typeof request.secure === 'boolean') return request.secure;
  return (request.socket as { readonly encrypted?: unknown }).encrypted === true;
}
