/** The session cookie exactly as PHP reads and writes it (php-src ext/session, ext/standard/head.c; measured on PHP 8.2). */

import type { ResolvedSessionCookie } from './session-cookie-options.js';

/**
 * The id in a `Cookie` header, or undefined.
 *
 * As PHP does it: with several cookies of the name the first wins, the value is URL-decoded, an empty value is none.
 */
export function readSessionCookie(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined;
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals === -1 || pair.slice(0, equals).trim() !== name) continue;
    const value = urlDecode(pair.slice(equals + 1).trim());
    return value === '' ? undefined : value;
  }
  return undefined;
}

/** The `Set-Cookie` value, with PHP's order, case and encoding of attributes. */
export function formatSessionCookie(
  id: string,
  cookie: ResolvedSessionCookie,
  context: { readonly secureRequest: boolean; readonly now: number },
): string {
  let text = `${cookie.name}=${urlEncode(id)}`;
  if (cookie.lifetimeMs > 0) {
    const seconds = Math.floor(cookie.lifetimeMs / 1000);
    text += `; expires=${new Date(context.now + seconds * 1000).toUTCString()}; Max-Age=${seconds}`;
  }
  text += `; path=${cookie.path}`;
  if (cookie.domain !== '') text += `; domain=${cookie.domain}`;
  if (cookie.secure === true || (cookie.secure === 'auto' && context.secureRequest)) text += '; secure';
  if (cookie.partitioned) text += '; partitioned';
  if (cookie.httpOnly) text += '; HttpOnly';
  if (cookie.sameSite !== '') text += `; SameSite=${cookie.sameSite}`;
  return text;
}

function urlDecode(text: string): string {
  const plain = text.replaceAll('+', ' ');
  if (!plain.includes('%')) return plain;
  try {
    return decodeURIComponent(plain);
  } catch {
    // Not UTF-8: no id that PHP makes; kept as it is so that the id check refuses it.
    return plain;
  }
}

function urlEncode(text: string): string {
  // PHP's urlencode: letters, digits and -_. stay, space is +.
  return encodeURIComponent(text)
    .replace(/[!'()*~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}
