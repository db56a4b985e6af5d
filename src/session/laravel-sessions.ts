/** Options for the sessions of a Laravel application that keeps them on memcached. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { readBoolean, readNumber, readString, rejectUnknownOptions } from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { serialize } from '../php/serialize.js';
import { unserialize } from '../php/unserialize.js';
import { type LaravelCipher, LaravelEncrypter } from './laravel-encrypter.js';
import type { SessionCookieSeal } from './session-cookie-options.js';
import type { SessionOptions } from './session-options.js';
import type { SessionSeal } from './session-values.js';

/** What Laravel's configuration says. */
export interface LaravelSessionsOptions {
  /** `APP_KEY` as it is in `.env`, `base64:` included; a list of it and of `APP_PREVIOUS_KEYS`. */
  readonly appKey: string | readonly string[];
  /** `app.cipher`. Default `'AES-256-CBC'`. */
  readonly cipher?: LaravelCipher;
  /** `session.cookie`. Default `'laravel_session'`. */
  readonly cookie?: string;
  /**
   * What stands in front of the session id in the key: `cache.prefix`, up to version 10 with a colon behind it. Default
   * `'laravel_cache:'`.
   */
  readonly prefix?: string;
  /** `session.encrypt`: whether the stored session is encrypted, too. Default false. */
  readonly encrypt?: boolean;
  /** `session.lifetime` in milliseconds; also the life of the cookie. Default 7 200 000. */
  readonly lifetimeMs?: number;
}

/** The defaults of {@link LaravelSessionsOptions}: those of a new application called Laravel. */
export const DEFAULT_LARAVEL_SESSIONS: {
  readonly cookie: string;
  readonly prefix: string;
  readonly encrypt: boolean;
  readonly lifetimeMs: number;
} = { cookie: 'laravel_session', prefix: 'laravel_cache:', encrypt: false, lifetimeMs: 7_200_000 };

/**
 * Session options for Laravel's `memcached` session driver: `createCluster({ sessions: { nodes, ...laravelSessions({ appKey }) } })`.
 *
 * Laravel's `serialization` has to be `php`. Laravel takes no lock: what a page of it saves replaces whatever was stored
 * since it began; what Node saves is merged.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option.
 */
export function laravelSessions(options: LaravelSessionsOptions): Omit<SessionOptions, 'nodes' | 'phpIni'> {
  const d = DEFAULT_LARAVEL_SESSIONS;
  rejectUnknownOptions('laravelSessions', options, ['appKey', 'cipher', ...Object.keys(d)]);
  const { appKey, cipher } = options;
  const encrypter = new LaravelEncrypter('laravelSessions.appKey', appKey, cipher);
  const name = readString('laravelSessions.cookie', options.cookie, d.cookie);
  const lifetimeMs = readNumber('laravelSessions.lifetimeMs', options.lifetimeMs, d.lifetimeMs, {
    min: 60_000,
  });
  const encrypted = readBoolean('laravelSessions.encrypt', options.encrypt, d.encrypt);
  return {
    handler: 'memcached-class',
    placement: { distribution: 'modula' },
    copies: 1,
    prefix: options.prefix ?? d.prefix,
    serialize: 'php_serialize',
    lifetimeMs,
    // Letters and digits, 40 of them, are what Laravel accepts.
    ids: { accept: /^[A-Za-z0-9]{40}$/, length: 40, bitsPerCharacter: 5 },
    cookie: { name, lifetimeMs, seal: cookieSeal(encrypter, name) },
    ...(encrypted ? { seal: sessionSeal(encrypter) } : {}),
  };
}

/** The cookie: the id behind a prefix that binds it to the cookie's name, encrypted. */
function cookieSeal(encrypter: LaravelEncrypter, name: string): SessionCookieSeal {
  const prefixes = encrypter.keys.map((key) =>
    Buffer.from(`${createHmac('sha1', key).update(`${name}v2`).digest('hex')}|`),
  );
  return {
    open(text) {
      const plain = encrypter.decrypt(text);
      const prefix = prefixes.find(
        (one) =>
          plain !== undefined &&
          plain.length > one.length &&
          timingSafeEqual(plain.subarray(0, one.length), one),
      );
      return prefix === undefined ? undefined : plain?.toString('latin1', prefix.length);
    },
    seal: (id) => encrypter.encrypt(Buffer.concat([prefixes[0] as Buffer, Buffer.from(id)])),
  };
}

/** An encrypted session: a serialized string, whose contents are the serialized session. */
function sessionSeal(encrypter: LaravelEncrypter): SessionSeal {
  return {
    open(stored) {
      const plain = encrypter.decrypt(stored.toString('latin1'));
      if (plain === undefined) {
        throw new StormlampError(
          ErrorCode.PHP_SYNTAX,
          'The stored session was not encrypted with one of the keys of `laravelSessions.appKey`',
        );
      }
      const session = unserialize(plain);
      return Buffer.isBuffer(session) ? session : Buffer.from(String(session));
    },
    seal: (session) => Buffer.from(encrypter.encrypt(serialize(session))),
  };
}
