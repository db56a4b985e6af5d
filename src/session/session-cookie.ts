/** The session cookie exactly as PHP reads and writes it (php-src ext/session, ext/standard/head.c; measured on PHP 8.2). */

/** Attributes of the session cookie. */
export interface SessionCookieOptions {
  /** Name of the cookie, PHP's `session.name`. */
  readonly name?: string;
  /** `path` attribute. */
  readonly path?: string;
  /** `domain` attribute; left out when empty. */
  readonly domain?: string;
  /** `secure` attribute; `'auto'` sets it on requests that came over TLS. */
  readonly secure?: boolean | 'auto';
  /** `HttpOnly` attribute. */
  readonly httpOnly?: boolean;
  /** `SameSite` attribute; left out when `''`. */
  readonly sameSite?: 'Lax' | 'Strict' | 'None' | '';
  /** `partitioned` attribute (PHP 8.5); browsers demand `secure` with it. */
  readonly partitioned?: boolean;
  /** Life of the cookie in milliseconds; 0 lets it end with the browser session. */
  readonly lifetimeMs?: number;
}

/** The cookie options with every default filled in. */
export type ResolvedSessionCookie = Required<SessionCookieOptions>;

/** Defaults: PHP's name and path, and the two attributes that PHP leaves off but no site should. */
export const DEFAULT_SESSION_COOKIE: ResolvedSessionCookie = {
  name: 'PHPSESSID',
  path: '/',
  domain: '',
  secure: 'auto',
  httpOnly: true,
  sameSite: 'Lax',
  partitioned: false,
  lifetimeMs: 0,
};

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
