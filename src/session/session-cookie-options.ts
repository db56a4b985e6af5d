/** Options of the session cookie, their defaults and their checks. */
import {
  invalidOption,
  readBoolean,
  readChoice,
  readNumber,
  readString,
  rejectUnknownOptions,
} from '../common/option-reader.js';

/** Attributes of the session cookie. */
export interface SessionCookieOptions {
  /** Name of the cookie, PHP's `session.name`. ASCII, as `path` and `domain`. Default `'PHPSESSID'`. */
  readonly name?: string;
  /** `path` attribute; left out when empty. Default `'/'`. */
  readonly path?: string;
  /** `domain` attribute; left out when empty. Default `''`. */
  readonly domain?: string;
  /** `secure` attribute; `'auto'` sets it on requests that came over TLS. PHP's default is off. Default `'auto'`. */
  readonly secure?: boolean | 'auto';
  /** `HttpOnly` attribute: scripts of the page do not see the cookie. PHP's default is off. Default true. */
  readonly httpOnly?: boolean;
  /** `SameSite` attribute; left out when `''`, which is PHP's default. Default `'Lax'`. */
  readonly sameSite?: 'Lax' | 'Strict' | 'None' | '';
  /** `partitioned` attribute (PHP 8.5); browsers demand `secure` with it. Default false. */
  readonly partitioned?: boolean;
  /** Life of the cookie in milliseconds; 0 lets it end with the browser session. Default 0. */
  readonly lifetimeMs?: number;
  /**
   * Whether the cookie is sent with every response, so that its life begins anew. PHP sends it only once, frameworks every
   * time. Default false.
   */
  readonly rolling?: boolean;
  /** What a framework makes of the id in the cookie; `laravelSessions` gives one. */
  readonly seal?: SessionCookieSeal;
}

/** How the id is hidden in the cookie. */
export interface SessionCookieSeal {
  /** The id in a cookie's value, URL-decoded; undefined when nobody sealed it. */
  open(value: string): string | undefined;
  /** The cookie's value for an id, before it is URL-encoded. */
  seal(id: string): string;
}

/** The cookie options with every default filled in. */
export interface ResolvedSessionCookie extends Required<Omit<SessionCookieOptions, 'seal'>> {
  /** What is made of the id. */
  readonly seal: SessionCookieSeal | undefined;
}

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
  rolling: false,
  seal: undefined,
};

/** Checks cookie options and fills in the defaults. */
export function resolveSessionCookie(
  path: string,
  options: SessionCookieOptions = {},
): ResolvedSessionCookie {
  const d = DEFAULT_SESSION_COOKIE;
  rejectUnknownOptions(path, options, Object.keys(d));
  const name = readString(`${path}.name`, options.name, d.name);
  // PHP refuses the same names, but for those beyond ASCII; a numeric one would become an array index of $_COOKIE.
  if (/[=,;.[ ]/.test(name) || /^\d+$/.test(name) || !isPrintableAscii(name)) {
    throw invalidOption(
      `${path}.name`,
      'a cookie name that PHP and Node can send: ASCII, not numeric, none of `=,;.[` or white space',
      name,
    );
  }
  const attribute = (key: 'path' | 'domain', fallback: string): string => {
    const { [key]: value = fallback } = options;
    if (typeof value !== 'string' || /[;, ]/.test(value) || !isPrintableAscii(value))
      throw invalidOption(`${path}.${key}`, 'a cookie attribute: ASCII, none of `;,` or white space', value);
    return value;
  };
  const { secure = d.secure } = options;
  if (typeof secure !== 'boolean' && secure !== 'auto')
    throw invalidOption(`${path}.secure`, "a boolean or 'auto'", secure);
  const partitioned = readBoolean(`${path}.partitioned`, options.partitioned, d.partitioned);
  if (partitioned && !secure)
    throw invalidOption(
      `${path}.secure`,
      "true or 'auto', since browsers drop a partitioned cookie without it",
      secure,
    );
  return {
    name,
    path: attribute('path', d.path),
    domain: attribute('domain', d.domain),
    secure,
    httpOnly: readBoolean(`${path}.httpOnly`, options.httpOnly, d.httpOnly),
    sameSite: readChoice(`${path}.sameSite`, options.sameSite, ['Lax', 'Strict', 'None', ''], d.sameSite),
    partitioned,
    lifetimeMs: readNumber(`${path}.lifetimeMs`, options.lifetimeMs, d.lifetimeMs, { min: 0 }),
    rolling: readBoolean(`${path}.rolling`, options.rolling, d.rolling),
    seal: readSeal(`${path}.seal`, options.seal),
  };
}

/** Node sends other text in headers as one or the other bytes, depending on the body, or not at all. */
function isPrintableAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

function readSeal(path: string, seal: SessionCookieSeal | undefined): SessionCookieSeal | undefined {
  if (seal === undefined) return undefined;
  if (typeof seal?.open !== 'function' || typeof seal.seal !== 'function')
    throw invalidOption(path, 'an object with `open` and `seal`', seal);
  return seal;
}
