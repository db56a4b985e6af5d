/** Turns PHP's own settings into session options, so that Node and PHP cannot be configured apart. */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { SESSION_HANDLERS, type SessionHandler } from '../php/session-handler.js';
import type { PhpSettings } from './php-settings.js';
import type { SessionCookieOptions } from './session-cookie-options.js';
import type { SessionOptions } from './session-options.js';
import type { SessionPlacementOptions } from './session-placement-options.js';

/** Reads settings and collects what cannot be done, so that one error names everything. */
class SettingsReader {
  readonly #settings: PhpSettings;
  readonly #troubles: string[] = [];

  constructor(settings: PhpSettings) {
    this.#settings = settings;
  }

  text(name: string, fallback: string): string {
    return this.#settings.get(name) ?? fallback;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.#settings.get(name);
    return value === undefined ? fallback : value !== '' && value !== '0';
  }

  integer(name: string, fallback: number, min = 0): number {
    const value = this.#settings.get(name);
    if (value === undefined || value === '') return fallback;
    const number = Number(value);
    if (Number.isInteger(number) && number >= min) return number;
    this.refuse(name, `it is not an integer of at least ${min}`);
    return fallback;
  }

  refuse(name: string, why: string): void {
    this.#troubles.push(`${name} = "${this.text(name, '')}": ${why}`);
  }

  finish(): void {
    if (this.#troubles.length === 0) return;
    throw new StormlampError(
      ErrorCode.UNSUPPORTED,
      `PHP's settings ask for what the session store cannot do:\n- ${this.#troubles.join('\n- ')}`,
    );
  }
}

/**
 * The session options that PHP's settings amount to; settings that are not set have PHP's built-in values.
 *
 * @throws StormlampError `ERR_UNSUPPORTED` that lists every setting that cannot be followed, with the reason.
 */
export function sessionOptionsFromPhp(settings: PhpSettings): SessionOptions {
  const reader = new SettingsReader(settings);
  const handler = reader.text('session.save_handler', 'files');
  const common = commonOptions(reader);
  const own =
    handler === 'memcached'
      ? memcachedOptions(reader)
      : handler === 'memcache'
        ? memcacheOptions(reader)
        : unknownHandler(reader);
  reader.finish();
  return { ...common, ...own };
}

function unknownHandler(reader: SettingsReader): { readonly nodes: readonly string[] } {
  reader.refuse(
    'session.save_handler',
    'only the handlers memcached and memcache keep sessions where Node can share them',
  );
  return { nodes: [] };
}

function commonOptions(reader: SettingsReader): Omit<SessionOptions, 'nodes'> {
  const serialize = reader.text('session.serialize_handler', 'php');
  if (!(SESSION_HANDLERS as readonly string[]).includes(serialize)) {
    reader.refuse('session.serialize_handler', `the formats are ${SESSION_HANDLERS.join(', ')}`);
  }
  if (!reader.flag('session.use_cookies', true))
    reader.refuse('session.use_cookies', 'the id has to travel in a cookie');
  const bits = reader.integer('session.sid_bits_per_character', 4);
  if (bits < 4 || bits > 6) reader.refuse('session.sid_bits_per_character', 'PHP knows 4, 5 and 6');
  const length = reader.integer('session.sid_length', 32);
  if (length < 22 || length > 231) reader.refuse('session.sid_length', 'ids have 22 to 231 characters here');
  return {
    serialize: serialize as SessionHandler,
    lifetimeMs: reader.integer('session.gc_maxlifetime', 1440, 1) * 1000,
    ids: { length, bitsPerCharacter: bits as 4 | 5 | 6 },
    cookie: cookieOptions(reader),
  };
}

function cookieOptions(reader: SettingsReader): SessionCookieOptions {
  const sameSite = reader.text('session.cookie_samesite', '');
  if (!['', 'Lax', 'Strict', 'None'].includes(sameSite))
    reader.refuse('session.cookie_samesite', 'it is Lax, Strict, None or empty');
  return {
    name: reader.text('session.name', 'PHPSESSID'),
    path: reader.text('session.cookie_path', '/'),
    domain: reader.text('session.cookie_domain', ''),
    secure: reader.flag('session.cookie_secure', false),
    httpOnly: reader.flag('session.cookie_httponly', false),
    sameSite: sameSite as 'Lax' | 'Strict' | 'None' | '',
    partitioned: reader.flag('session.cookie_partitioned', false),
    lifetimeMs: reader.integer('session.cookie_lifetime', 0) * 1000,
  };
}

/** Settings of php-memcached (php_memcached.c, memcached.ini). */
function memcachedOptions(reader: SettingsReader): SessionOptions {
  const nodes: string[] = [];
  const weights: number[] = [];
  for (const entry of reader.text('session.save_path', '').split(',')) {
    const text = entry.trim();
    if (text === '') continue;
    const match = text.startsWith('/')
      ? /^([^:]+)(?::(\d+))?(?::(\d+))?$/.exec(text)
      : /^([^:]+|\[[^\]]+\])(?::(\d+))?(?::(\d+))?$/.exec(text);
    if (match === null) {
      reader.refuse('session.save_path', `the entry ${JSON.stringify(text)} is not host:port:weight`);
      continue;
    }
    const [, host = '', port, weight] = match;
    nodes.push(host.startsWith('/') ? host : `${host}:${port ?? 11_211}`);
    weights.push(Math.max(1, Number(weight ?? 1)));
  }
  if (nodes.length === 0) reader.refuse('session.save_path', 'it names no memcached server');
  if (!reader.flag('memcached.sess_locking', true)) {
    reader.refuse(
      'memcached.sess_locking',
      "without PHP's lock a save of PHP overwrites what Node saved meanwhile; turn it on",
    );
  }
  if (reader.flag('memcached.sess_randomize_replica_read', false)) {
    reader.refuse(
      'memcached.sess_randomize_replica_read',
      'PHP would read copies that are not the deciding one; turn it off',
    );
  }
  const type = reader.text('memcached.sess_consistent_hash_type', 'ketama');
  if (type !== 'ketama' && type !== 'ketama_weighted')
    reader.refuse('memcached.sess_consistent_hash_type', 'it is ketama or ketama_weighted');
  const distribution = reader.flag('memcached.sess_consistent_hash', true)
    ? (type as 'ketama' | 'ketama_weighted')
    : 'modula';
  const username = reader.text('memcached.sess_sasl_username', '');
  const password = reader.text('memcached.sess_sasl_password', '');
  return {
    handler: 'memcached',
    nodes,
    placement: { distribution, weights },
    copies: reader.integer('memcached.sess_number_of_replicas', 0) + 1,
    prefix: reader.text('memcached.sess_prefix', 'memc.sess.key.'),
    ...(username === '' || password === '' ? {} : { username, password }),
  };
}

/** Settings of pecl-memcache (memcache.c). */
function memcacheOptions(reader: SettingsReader): SessionOptions {
  const nodes: string[] = [];
  const weights: number[] = [];
  for (const entry of reader.text('session.save_path', '').split(/[\s,]+/)) {
    if (entry === '') continue;
    const match =
      /^(?:tcp:\/\/([^:/?]+|\[[^\]]+\])(?::(\d+))?|unix:\/\/(\/[^:?]+)(?::0)?)\/?(?:\?(.*))?$/.exec(entry);
    if (match === null) {
      reader.refuse('session.save_path', `the entry ${JSON.stringify(entry)} is not tcp://host:port`);
      continue;
    }
    const [, host, port, socket, query] = match;
    nodes.push(socket ?? `${host}:${port ?? reader.integer('memcache.default_port', 11_211)}`);
    weights.push(Math.max(1, Number(new URLSearchParams(query ?? '').get('weight') ?? 1)));
  }
  if (nodes.length === 0) reader.refuse('session.save_path', 'it names no memcached server');
  if (reader.flag('memcache.session_prefix_host_key', false)) {
    reader.refuse(
      'memcache.session_prefix_host_key',
      'keys would depend on the host name of each request; turn it off',
    );
  }
  const strategy = reader.text('memcache.hash_strategy', 'consistent');
  const hash = reader.text('memcache.hash_function', 'crc32');
  if (strategy !== 'consistent' && strategy !== 'standard')
    reader.refuse('memcache.hash_strategy', 'it is consistent or standard');
  if (hash !== 'crc32' && hash !== 'fnv') reader.refuse('memcache.hash_function', 'it is crc32 or fnv');
  const placement: SessionPlacementOptions = {
    strategy: strategy as 'consistent' | 'standard',
    hash: hash as 'crc32' | 'fnv',
    weights,
  };
  return {
    handler: 'memcache',
    nodes,
    placement,
    copies: reader.integer('memcache.session_redundancy', 2, 1),
    prefix: reader.text('memcache.session_prefix_static_key', ''),
  };
}
