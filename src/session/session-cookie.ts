/** The session cookie exactly as PHP reads and writes it (php-src ext/session, ext/standard/head.c; measured on PHP 8.2). */
import { isUtf8 } from 'node:buffer';

import type { ResolvedSessionCookie } from './session-cookie-options.js';

/** How many cookies PHP reads (`max_input_vars`, which nobody sets lower). */
const MAX_VARIABLES = 1_000;

/** A browser lets nobody else set cookies of these names; PHP takes none whose name becomes such a one by its underscores. */
const PROTECTED_PREFIXES = ['__Host-', '__Secure-'];

/**
 * The id in a `Cookie` header, or undefined.
 *
 * As PHP reads it (php-src main/php_variables.c; measured): of several cookies of the name the first wins, even when it is
 * empty, which is no id, and an array (`NAME[]=…`), which is none either, wins over all; blanks before a name do not count, dots and blanks in it are underscores; the value is
 * URL-decoded, with `+` as it is. What comes after the thousandth cookie does not count.
 */
export function readSessionCookie(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined;
  let first: string | undefined;
  let count = 0;
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    const written = (equals === -1 ? pair : pair.slice(0, equals)).replace(/^[ \t\r\n\v\f]+/, '');
    if (written === '') continue;
    count += 1;
    if (count > MAX_VARIABLES) break;
    const open = written.indexOf('[');
    const isArray = open !== -1 && written.includes(']', open);
    if ((isArray ? written.slice(0, open) : written).replace(/[ .[]/g, '_') !== name) continue;
    if (PROTECTED_PREFIXES.some((prefix) => name.startsWith(prefix) && !written.startsWith(prefix))) continue;
    if (isArray) return undefined;
    first ??= equals === -1 ? '' : urlDecode(pair.slice(equals + 1));
  }
  return first === '' ? undefined : first;
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
  if (cookie.path !== '') text += `; path=${cookie.path}`;
  if (cookie.domain !== '') text += `; domain=${cookie.domain}`;
  if (cookie.secure === true || (cookie.secure === 'auto' && context.secureRequest)) text += '; secure';
  if (cookie.partitioned) text += '; partitioned';
  if (cookie.httpOnly) text += '; HttpOnly';
  if (cookie.sameSite !== '') text += `; SameSite=${cookie.sameSite}`;
  return text;
}

/** As PHP's urldecode: escapes that are none stay as they are. What is then not UTF-8 is told one character per byte. */
function urlDecode(text: string): string {
  if (!text.includes('%')) return text;
  const bytes = text.replace(/%([0-9A-Fa-f]{2})/g, (_all, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  // Node gives headers one character per byte, too.
  const decoded = Buffer.from(bytes, 'latin1');
  return isUtf8(decoded) ? decoded.toString() : bytes;
}

function urlEncode(text: string): string {
  // PHP's urlencode: letters, digits and -_. stay, space is +.
  return encodeURIComponent(text)
    .replace(/[!'()*~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}
