/** Turns PHP's own settings into session options, so that Node and PHP cannot be configured apart. */
import { SESSION_HANDLERS, type SessionHandler } from '../php/session-handler.js';
import { CACHE_LIMITERS, type CacheLimiter } from './cache-limiter.js';
import type { CommonSessionOptions } from './common-session-options.js';
import type { FileSessionOptions } from './file-session-options.js';
import { phpFilesOptions } from './php-files-options.js';
import { phpMemcacheOptions } from './php-memcache-options.js';
import { phpMemcachedOptions } from './php-memcached-options.js';
import type { PhpSettings } from './php-settings.js';
import { PhpSettingsReader } from './php-settings-reader.js';
import type { SessionCookieOptions } from './session-cookie-options.js';
import type { SessionOptions } from './session-options.js';

/**
 * The session options that PHP's settings amount to; settings that are not set have PHP's built-in values.
 *
 * @param placed where the sessions are when somebody else says so, whatever `session.save_handler` and
 * `session.save_path` are
 * @throws StormlampError `ERR_UNSUPPORTED` that lists every setting that cannot be followed, with the reason.
 */
export function sessionOptionsFromPhp(
  settings: PhpSettings,
  placed?: 'memcached' | 'files',
): SessionOptions | FileSessionOptions {
  const reader = new PhpSettingsReader(settings);
  const common = commonOptions(reader);
  const own = ownOptions(reader, placed);
  reader.finish();
  return { ...common, ...own };
}

function ownOptions(
  reader: PhpSettingsReader,
  placed: 'memcached' | 'files' | undefined,
): SessionOptions | FileSessionOptions {
  const handler = reader.text('session.save_handler', 'files');
  if (placed === 'files' || (placed === undefined && handler === 'files'))
    return phpFilesOptions(reader, placed !== undefined);
  if (handler === 'memcache') return phpMemcacheOptions(reader, placed !== undefined);
  if (handler === 'memcached' || placed !== undefined)
    return phpMemcachedOptions(reader, placed !== undefined);
  reader.refuse(
    'session.save_handler',
    'only files, memcached and memcache keep sessions where Node can share them',
  );
  return {};
}

function commonOptions(reader: PhpSettingsReader): CommonSessionOptions {
  const serialize = reader.text('session.serialize_handler', 'php');
  if (!(SESSION_HANDLERS as readonly string[]).includes(serialize)) {
    reader.refuse('session.serialize_handler', `the formats are ${SESSION_HANDLERS.join(', ')}`);
  }
  if (!reader.flag('session.use_cookies', true))
    reader.refuse('session.use_cookies', 'the id has to travel in a cookie');
  // With it on, as it is by default, PHP does not look at session.use_trans_sid and session.referer_check (measured).
  if (!reader.flag('session.use_only_cookies', true))
    reader.refuse(
      'session.use_only_cookies',
      'PHP then takes ids from URLs, forms and, by session.referer_check, from some sites only, which Node does not; turn it on',
    );
  const bits = reader.integer('session.sid_bits_per_character', 4);
  if (bits < 4 || bits > 6) reader.refuse('session.sid_bits_per_character', 'PHP knows 4, 5 and 6');
  const length = reader.integer('session.sid_length', 32);
  if (length < 22 || length > 231) reader.refuse('session.sid_length', 'ids have 22 to 231 characters here');
  return {
    serialize: serialize as SessionHandler,
    lifetimeMs: reader.integer('session.gc_maxlifetime', 1440, 1) * 1000,
    ids: { length, bitsPerCharacter: bits as 4 | 5 | 6 },
    cacheLimiter: cacheLimiter(reader),
    cacheExpireMs: reader.integer('session.cache_expire', 180) * 60_000,
    cookie: cookieOptions(reader),
  };
}

function cacheLimiter(reader: PhpSettingsReader): CacheLimiter {
  const text = reader.text('session.cache_limiter', 'nocache').toLowerCase();
  // PHP sends nothing for a word that it does not know.
  return CACHE_LIMITERS.find((known) => known === text) ?? '';
}

function cookieOptions(reader: PhpSettingsReader): SessionCookieOptions {
  const given = reader.text('session.cookie_samesite', '').toLowerCase();
  // PHP sends it as it is, and browsers take it in any case.
  const sameSite = (['', 'Lax', 'Strict', 'None'] as const).find((one) => one.toLowerCase() === given);
  if (sameSite === undefined) reader.refuse('session.cookie_samesite', 'it is Lax, Strict, None or empty');
  return {
    name: reader.text('session.name', 'PHPSESSID'),
    path: reader.text('session.cookie_path', '/'),
    domain: reader.text('session.cookie_domain', ''),
    secure: reader.flag('session.cookie_secure', false),
    httpOnly: reader.flag('session.cookie_httponly', false),
    sameSite: sameSite ?? '',
    partitioned: reader.flag('session.cookie_partitioned', false),
    lifetimeMs: reader.integer('session.cookie_lifetime', 0) * 1000,
  };
}
